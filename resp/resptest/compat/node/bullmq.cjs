// BullMQ, whose queues are Lua scripts over lists, sorted sets and streams:
// node bullmq.cjs HOST PORT
const assert = require("node:assert");
const { Queue, Worker, QueueEvents, FlowProducer } = require("bullmq");

async function main(host, port) {
  const connection = { host, port: Number(port), maxRetriesPerRequest: null };
  const queue = new Queue("work", { connection });
  const events = new QueueEvents("work", { connection });
  await events.waitUntilReady();
  const order = [];
  let failures = 0;
  const work = async (job) => {
    order.push(job.data.n);
    switch (job.name) {
      case "flaky":
        if (failures++ < 2) throw new Error("not yet");
        return failures;
      case "broken":
        throw new Error("as it must");
      case "parent":
        return Object.values(await job.getChildrenValues()).reduce((a, b) => a + b, 0);
    }
    await job.updateProgress(50);
    await job.log("half");
    return job.data.n * 2;
  };

  // Priorities and delays are decided before a worker is there.
  const late = await queue.add("job", { n: 9 }, { delay: 300 });
  const low = await queue.add("job", { n: 3 }, { priority: 10 });
  const high = await queue.add("job", { n: 2 }, { priority: 1 });
  const first = await queue.add("job", { n: 1 });
  const bulk = await queue.addBulk([...Array(100).keys()].map((i) => ({ name: "job", data: { n: 100 + i } })));
  assert.deepEqual(await queue.getJobCounts("waiting", "prioritized", "delayed"), { waiting: 101, prioritized: 2, delayed: 1 });
  const worker = new Worker("work", work, { connection, concurrency: 1 });
  assert.equal(await first.waitUntilFinished(events, 60000), 2);
  assert.equal(await high.waitUntilFinished(events, 60000), 4);
  assert.equal(await low.waitUntilFinished(events, 60000), 6);
  assert.equal(await late.waitUntilFinished(events, 60000), 18);
  const at = (n) => order.indexOf(n);
  assert(at(1) < at(100) && at(100) < at(199) && at(199) < at(2) && at(2) < at(3), `order ${order}`);
  assert.equal((await queue.getJob(bulk[99].id)).returnvalue, 398);
  assert.deepEqual((await queue.getJobLogs(bulk[0].id)).logs, ["half"]);
  assert.equal(await queue.getCompletedCount(), 104);

  // Retries, failures, children before their parent.
  const flaky = await queue.add("flaky", {}, { attempts: 3, backoff: { type: "fixed", delay: 10 } });
  assert.equal(await flaky.waitUntilFinished(events, 60000), 3);
  const broken = await queue.add("broken", {});
  await assert.rejects(broken.waitUntilFinished(events, 60000), /as it must/);
  assert.equal(await queue.getFailedCount(), 1);
  await (await queue.getFailed())[0].remove();
  const flow = new FlowProducer({ connection });
  const tree = await flow.add({
    name: "parent",
    queueName: "work",
    data: {},
    children: [1, 2, 3].map((n) => ({ name: "job", queueName: "work", data: { n } })),
  });
  assert.equal(await tree.job.waitUntilFinished(events, 60000), 12);

  // The same job once; a scheduler that makes them; a pause.
  const once = await queue.add("job", { n: 7 }, { jobId: "once" });
  await once.waitUntilFinished(events, 60000);
  await queue.add("job", { n: 8 }, { jobId: "once" });
  assert.equal((await queue.getJob("once")).data.n, 7);
  let ticks = 0;
  const ticked = new Promise((done) => worker.on("completed", (job) => job.data.tick && ++ticks === 3 && done()));
  await queue.upsertJobScheduler("ticks", { every: 100 }, { name: "job", data: { n: 0, tick: true } });
  await ticked;
  assert(await queue.removeJobScheduler("ticks"));
  await queue.pause();
  assert(await queue.isPaused());
  await queue.resume();
  await worker.close();

  // Many workers take each job once, as fast as a limiter lets them.
  const limited = new Queue("limited", { connection });
  const done = [];
  const workers = [1, 2, 3].map(
    () => new Worker("limited", async (job) => done.push(job.data.n), { connection, concurrency: 5, limiter: { max: 20, duration: 200 } }),
  );
  await limited.addBulk([...Array(60).keys()].map((n) => ({ name: "job", data: { n } })));
  for (let end = Date.now() + 60000; done.length < 60; ) {
    assert(Date.now() < end, `${done.length} of 60`);
    await new Promise((next) => setTimeout(next, 10));
  }
  assert.deepEqual(done.toSorted((a, b) => a - b), [...Array(60).keys()]);
  await Promise.all(workers.map((w) => w.close()));

  // A worker dies with a job; another takes it over.
  const crash = new Queue("crash", { connection });
  const dead = new Worker("crash", null, { connection, lockDuration: 100, autorun: false });
  await crash.add("job", { n: 1 });
  const held = await dead.getNextJob("dead");
  assert.equal(held.data.n, 1);
  const heir = new Worker("crash", async (job) => job.data.n, { connection, stalledInterval: 100, lockDuration: 30000 });
  const [again] = await new Promise((next) => heir.on("completed", (...args) => next(args)));
  assert.equal(again.id, held.id);
  await heir.close();
  await dead.close(true);
  await queue.obliterate({ force: true });
  assert.deepEqual(await queue.getJobCounts("completed", "failed"), { completed: 0, failed: 0 });
  for (const c of [queue, limited, crash, events, flow]) await c.close();
  console.log("BullMQ: ok");
}

main(process.argv[2], process.argv[3]).then(
  () => process.exit(0),
  (e) => {
    console.error(e);
    process.exit(1);
  },
);
