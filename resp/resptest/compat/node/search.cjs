// node-redis' search API, on hashes and on JSON: node search.cjs HOST PORT
const assert = require("node:assert");
const { createClient, SCHEMA_FIELD_TYPE, SCHEMA_VECTOR_FIELD_ALGORITHM, FT_AGGREGATE_STEPS, FT_AGGREGATE_GROUP_BY_REDUCERS } = require("redis");

const f32 = (...numbers) => Buffer.from(new Float32Array(numbers).buffer);
const people = [
  { name: "Alice Jones", city: "Leeds", age: 29, home: "-1.54,53.8", v: [1, 0, 0], tags: ["a", "b"] },
  { name: "Bob Miller", city: "York", age: 46, home: "-1.08,53.96", v: [0, 1, 0], tags: ["b"] },
  { name: "Carol Jones", city: "Leeds", age: 61, home: "-1.55,53.79", v: [0.9, 0.1, 0], tags: [] },
];
const keys = (reply) => reply.documents.map((d) => d.id);

async function search(r, on) {
  const json = on === "JSON";
  const name = (field) => (json ? "$." + field : field);
  const field = (f, type, more) => [name(f), { type, ...(json ? { AS: f } : {}), ...more }];
  const schema = Object.fromEntries([
    field("name", SCHEMA_FIELD_TYPE.TEXT, { SORTABLE: true }),
    field("city", SCHEMA_FIELD_TYPE.TAG),
    field("age", SCHEMA_FIELD_TYPE.NUMERIC, { SORTABLE: true }),
    field("home", SCHEMA_FIELD_TYPE.GEO),
    field("v", SCHEMA_FIELD_TYPE.VECTOR, { ALGORITHM: SCHEMA_VECTOR_FIELD_ALGORITHM.HNSW, TYPE: "FLOAT32", DIM: 3, DISTANCE_METRIC: "COSINE" }),
  ]);
  if (json) schema["$.tags[*]"] = { type: SCHEMA_FIELD_TYPE.TAG, AS: "tags" };
  const idx = "idx:" + on;
  assert.equal(await r.ft.create(idx, schema, { ON: on, PREFIX: on + ":" }), "OK");
  await assert.rejects(r.ft.create(idx, schema, { ON: on, PREFIX: on + ":" }), /already exists/);
  for (const [i, p] of people.entries()) {
    if (json) await r.json.set(`${on}:${i}`, "$", p);
    else await r.hSet(`${on}:${i}`, { ...p, age: String(p.age), v: f32(...p.v), tags: p.tags.join(",") });
  }
  const ids = (...l) => l.map((i) => `${on}:${i}`);

  let got = await r.ft.search(idx, "@name:jones @city:{Leeds}", { SORTBY: { BY: "age", DIRECTION: "DESC" } });
  assert.equal(got.total, 2);
  assert.deepEqual(keys(got), ids(2, 0));
  if (json) assert.deepEqual(got.documents[1].value.tags, ["a", "b"]);
  else assert.equal(got.documents[1].value.city, "Leeds");
  got = await r.ft.search(idx, "@age:[(29 +inf]", { RETURN: ["city"], SORTBY: "age", LIMIT: { from: 0, size: 1 } });
  assert.equal(got.total, 2);
  assert.deepEqual({ ...got.documents[0].value }, { city: "York" });
  assert.deepEqual(keys(await r.ft.search(idx, "@home:[-1.54 53.8 5 km]", { SORTBY: "age" })), ids(0, 2));
  got = await r.ft.search(idx, "*=>[KNN 2 @v $q AS d]", { PARAMS: { q: f32(1, 0, 0) }, SORTBY: "d", RETURN: ["d"], DIALECT: 2 });
  assert.deepEqual(keys(got), ids(0, 2));
  assert(Math.abs(Number(got.documents[0].value.d)) < 1e-6);
  got = await r.ft.search(idx, "@v:[VECTOR_RANGE 0.1 $q]=>{$YIELD_DISTANCE_AS: d} @age:[50 70]", { PARAMS: { q: f32(1, 0, 0) }, DIALECT: 2 });
  assert.deepEqual(keys(got), ids(2));
  const bare = await r.ft.searchNoContent(idx, "@city:{York|Leeds}");
  assert.equal(bare.total, 3);
  assert.deepEqual([...bare.documents].sort(), ids(0, 1, 2));
  if (json) assert.deepEqual(keys(await r.ft.search(idx, "@tags:{a}")), ids(0));

  const groups = await r.ft.aggregate(idx, "*", {
    STEPS: [
      {
        type: FT_AGGREGATE_STEPS.GROUPBY, properties: "@city",
        REDUCE: [
          { type: FT_AGGREGATE_GROUP_BY_REDUCERS.COUNT, AS: "n" },
          { type: FT_AGGREGATE_GROUP_BY_REDUCERS.AVG, property: "@age", AS: "mean" },
        ],
      },
      { type: FT_AGGREGATE_STEPS.SORTBY, BY: { BY: "@n", DIRECTION: "DESC" } },
    ],
  });
  assert.deepEqual(groups.results.map((g) => ({ ...g })), [{ city: "Leeds", n: "2", mean: "45" }, { city: "York", n: "1", mean: "46" }]);
  let page = await r.ft.aggregateWithCursor(idx, "*", { COUNT: 2, LOAD: ["@age"] });
  assert.equal(page.results.length, 2);
  page = await r.ft.cursorRead(idx, page.cursor);
  assert.equal(page.results.length, 1);

  const info = await r.ft.info(idx);
  assert.equal(info.index_name, idx);
  assert.equal(Number(info.num_docs), 3);
  assert.equal(Number(info.hash_indexing_failures), 0);
  assert.equal(info.attributes.length, json ? 6 : 5);
  await r.ft.alter(idx, { [name("more")]: { type: SCHEMA_FIELD_TYPE.TAG, AS: "more" } });
  assert.deepEqual(await r.ft.search(idx, "@more:{x}").then(keys), []);
  await r.ft.aliasAdd("alias:" + on, idx);
  assert.equal((await r.ft.search("alias:" + on, "jones")).total, 2);
  assert.deepEqual([...(await r.ft.tagVals(idx, "city"))].sort(), ["leeds", "york"]);
  assert.match(await r.ft.explain(idx, "jones"), /jones/);
  assert.equal((await r.ft.profileSearch(idx, "jones")).results.total, 2);
  await r.ft.synUpdate(idx, "g", ["jones", "smith"]);
  assert.equal((await r.ft.search(idx, "smith")).total, 2);
  await r.del(`${on}:0`);
  assert.deepEqual(keys(await r.ft.search(idx, "jones")), ids(2));
  assert((await r.ft._list()).includes(idx));
  await r.ft.dropIndex(idx, { DD: true });
  assert.equal(await r.exists(ids(1, 2)), 0);
}

async function main(host, port) {
  for (const RESP of [2, 3]) {
    const r = createClient({ socket: { host, port: Number(port) }, RESP, unstableResp3: true });
    await r.connect();
    for (const on of ["HASH", "JSON"]) await search(r, on);
    await r.ft.sugAdd("sug", "hello world", 1);
    assert.deepEqual(await r.ft.sugGet("sug", "hel"), ["hello world"]);
    await r.ft.dictAdd("dict", ["a", "b"]);
    assert.equal((await r.ft.dictDump("dict")).length, 2);
    await r.flushAll();
    await r.close();
  }
  console.log("search: ok");
}

main(process.argv[2], process.argv[3]).then(
  () => process.exit(0),
  (e) => {
    console.error(e);
    process.exit(1);
  },
);
