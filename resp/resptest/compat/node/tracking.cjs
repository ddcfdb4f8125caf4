// node-redis with its client-side cache: node tracking.cjs HOST PORT
const assert = require("node:assert");
const { createClient, BasicClientSideCache } = require("redis");

async function main(host, port) {
  const url = `redis://${host}:${port}`;
  const cache = new BasicClientSideCache({ maxEntries: 100, ttl: 0 });
  const near = await createClient({ url, RESP: 3, clientSideCache: cache }).connect();
  const other = await createClient({ url }).connect();
  const asked = async () => Number(/keyspace_hits:(\d+)/.exec(await other.info("stats"))[1]);
  const until = async (call, want) => {
    for (let end = Date.now() + 10000; (await call()) !== want; ) {
      assert(Date.now() < end, `still not ${want}`);
      await new Promise((done) => setTimeout(done, 1)); // answers from copies leave the socket no time
    }
  };

  await other.set("price", "1");
  const before = await asked();
  for (let i = 0; i < 5; i++) assert.equal(await near.get("price"), "1");
  assert.equal((await asked()) - before, 1, "one of five look-ups goes to the server");
  await other.set("price", "2");
  await until(() => near.get("price"), "2");
  await other.del("price");
  await until(() => near.get("price"), null);
  await other.hSet("h", { a: "1" });
  assert.deepEqual({ ...(await near.hGetAll("h")) }, { a: "1" });
  await other.hSet("h", "a", "2");
  await until(async () => (await near.hGetAll("h")).a, "2");
  await other.set("brief", "v", { PX: 20 });
  assert.equal(await near.get("brief"), "v");
  await until(() => near.get("brief"), null);
  await other.set("k", "v");
  assert.equal(await near.get("k"), "v");
  await other.flushAll();
  await until(() => near.get("k"), null);
  assert(cache.stats().hitCount >= 4);
  near.destroy();
  other.destroy();
  console.log("node-redis: ok");
}

main(process.argv[2], process.argv[3]).catch((e) => {
  console.error(e);
  process.exit(1);
});
