// Libraries of Node.js that are Lua scripts: node scripts.cjs HOST PORT
const assert = require("node:assert");
const Redis = require("ioredis");
const Redlock = require("redlock");
const { RateLimiterRedis } = require("rate-limiter-flexible");

async function main(host, port) {
  const clients = [0, 1, 2].map((db) => new Redis({ host, port: Number(port), db }));

  // Redlock: three databases in the place of three servers.
  const redlock = new Redlock(clients, { retryCount: 0 });
  const lock = await redlock.lock("lock", 60000);
  await assert.rejects(redlock.lock("lock", 60000), Redlock.LockError);
  await lock.extend(60000);
  await lock.unlock();
  const many = new Redlock(clients, { retryCount: -1, retryDelay: 5, retryJitter: 5 });
  let count = 0;
  await Promise.all(
    [...Array(20)].map(async () => {
      const held = await many.lock("lock", 60000);
      const n = count;
      await new Promise((next) => setTimeout(next, 1));
      count = n + 1;
      await held.unlock();
    }),
  );
  assert.equal(count, 20);

  // A rate limiter: no more pass however many ask at once.
  const limiter = new RateLimiterRedis({ storeClient: clients[0], points: 10, duration: 3600, blockDuration: 3600 });
  const passed = await Promise.all([...Array(25)].map(() => limiter.consume("user").then(() => 1, () => 0)));
  assert.equal(passed.reduce((a, b) => a + b), 10);
  assert((await limiter.get("user")).msBeforeNext > 3000000);
  await limiter.delete("user");
  assert.equal((await limiter.consume("user", 3)).remainingPoints, 7);

  // A command of ioredis' own: EVALSHA, EVAL where the server does not know it.
  clients[0].defineCommand("addAll", { numberOfKeys: 1, lua: "local n = 0 for _, v in ipairs(ARGV) do n = redis.call('incrby', KEYS[1], v) end return n" });
  await clients[0].script("FLUSH");
  assert.equal(await clients[0].addAll("sum", 1, 2, 3), 6);
  assert.deepEqual(await clients[0].pipeline().addAll("sum", 4).addAll("sum", 5).exec(), [[null, 10], [null, 15]]);
  assert.deepEqual(await clients[0].multi().addAll("sum", 1).get("sum").exec(), [[null, 16], [null, "16"]]);
  clients.forEach((c) => c.disconnect());
  console.log("scripts: ok");
}

main(process.argv[2], process.argv[3]).then(
  () => process.exit(0),
  (e) => {
    console.error(e);
    process.exit(1);
  },
);
