// Owners and tabs over a browser and a hub of virtual time (BM-51, BM-52).

import assert from "node:assert/strict";
import { test } from "node:test";

import { Hub, World } from "./world.js";

const URL_ = "https://hub.example/events";

/** A tab with a source, held against the hub's log at each event. */
class Tab {
  /** The last id that it stands at; none before the first answer. */
  place;
  seen = 0;
  gaps = 0;
  ended = false;

  constructor(world, options = {}, realm = {}) {
    this.world = world;
    this.realm = world.realm(realm);
    this.topics = options.topics ?? ["a"];
    this.source = new this.realm.Fanfare(URL_, { topics: this.topics, ...options });
    const start = () => (this.place ??= placeOf(this.source.lastEventId));
    const held = (listener) => (event) => {
      try {
        listener(event);
      } catch (fault) {
        world.faults.push(fault);
      }
    };
    this.source.onopen = start;
    this.source.onmessage = held((event) => {
      const id = Number(event.lastEventId);
      assert.ok(this.place !== undefined, "an event before the stream is open");
      assert.equal(id, this.next(), `after ${this.place} of ${this.topics}`);
      this.place = id;
      this.seen += 1;
    });
    this.source.ongap = held(({ detail }) => {
      const to = Number(detail.to);
      assert.ok(to > this.place, `a gap from ${this.place} to ${to}`);
      this.place = to;
      this.gaps += 1;
    });
  }

  /** The next event that it must see. */
  next() {
    const { log } = this.world.hub;
    return log.find(({ id, topic }) => id > this.place && this.topics.includes(topic))?.id;
  }

  setTopics(topics) {
    this.topics = topics;
    this.source.setTopics(topics);
  }

  freeze(told = true) {
    if (told) this.realm.fire("freeze");
    this.realm.frozen = true;
  }

  thaw() {
    this.realm.frozen = false;
    this.world.later(1, () => this.realm.fire("resume"), this.realm);
  }
}

const placeOf = (id) => (id === "earliest" ? 0 : Number(id));

function start(seed = 1) {
  const hub = new Hub();
  return { hub, world: new World(seed, hub) };
}

async function publish(world, count, topic = "a") {
  for (let sent = 0; sent < count; sent += 1) {
    world.hub.publish(topic);
    await world.run(5);
  }
}

async function tabs(world, count, options) {
  const all = [];
  for (let made = 0; made < count; made += 1) {
    all.push(new Tab(world, options));
    await world.run(world.delay(50));
  }
  await world.run(1000);
  return all;
}

for (const share of ["worker", "leader"]) {
  test(`bm_53 ${share}: eight tabs hold one connection and see all`, async () => {
    const { hub, world } = start();
    const all = await tabs(world, 8, { share });
    assert.equal(hub.connections.size, 1);
    await publish(world, 20);
    await world.run(1000);
    assert.deepEqual(all.map((tab) => tab.seen), Array(8).fill(20));
    for (const tab of all) tab.source.close();
    await world.run(1000);
    assert.equal(hub.connections.size, 0);
  });

  test(`bm_54 ${share}: the owner's tab is closed`, async () => {
    const { hub, world } = start();
    const all = await tabs(world, 4, { share });
    await publish(world, 20);
    world.end(all[0].realm);
    await publish(world, 20);
    await world.run(1000);
    for (const tab of all.slice(1)) assert.equal(tab.seen, 40);
    assert.equal(hub.connections.size, 1);
  });

  test(`bm_14 ${share}: a tab that slept is not kept for, and reads on from its place`, async () => {
    const { hub, world } = start();
    const all = await tabs(world, 3, { share });
    const [, , sleeper] = all;
    sleeper.realm.frozen = true;
    await publish(world, 5);
    await world.run(20000);
    await publish(world, 600);
    sleeper.realm.frozen = false;
    await world.run(5000);
    assert.deepEqual(all.map((tab) => tab.seen), [605, 605, 605]);
    assert.equal(hub.connections.size, 1);
  });

  test(`bm_21 ${share}: a gap is told once to each tab`, async () => {
    const { hub, world } = start();
    const all = await tabs(world, 3, { share });
    await publish(world, 5);
    await world.run(100);
    hub.down = true;
    hub.cut();
    await publish(world, 10);
    hub.first = 10;
    hub.down = false;
    await world.run(60000);
    for (const tab of all) assert.deepEqual([tab.gaps, tab.next()], [1, undefined]);
  });

  test(`bm_20 ${share}: topics change under load, and nothing is lost or doubled`, async () => {
    const { hub, world } = start();
    const all = await tabs(world, 3, { share });
    for (let round = 0; round < 30; round += 1) {
      hub.publish(round % 2 ? "a" : "b");
      if (round === 10) all[1].setTopics(["a", "b"]);
      if (round === 20) all[1].setTopics(["a"]);
      await world.run(20);
    }
    await world.run(2000);
    for (const tab of all) assert.equal(tab.next(), undefined);
    assert.equal(hub.connections.size, 1);
  });
}

test("bm_22 a frozen leader is robbed, and does not fight when it thaws", async () => {
  const { hub, world } = start();
  const all = await tabs(world, 3, { share: "leader" });
  assert.equal(all[0].source.role, "leader");
  all[0].freeze(false);
  await publish(world, 5);
  await world.run(20000);
  assert.deepEqual(all.slice(1).map((tab) => tab.seen), [5, 5]);
  all[0].realm.frozen = false;
  await publish(world, 5);
  await world.run(5000);
  assert.deepEqual(all.map((tab) => tab.seen), [10, 10, 10]);
  assert.equal(hub.connections.size, 1);
  assert.equal(all.filter((tab) => tab.source.role === "leader").length, 1);
});

test("bm_23 a leader that is told of its freeze hands over at once", async () => {
  const { hub, world } = start();
  const all = await tabs(world, 2, { share: "leader" });
  all[0].freeze();
  await publish(world, 5);
  await world.run(1000);
  assert.equal(all[1].seen, 5);
  all[0].thaw();
  await world.run(1000);
  assert.equal(all[0].seen, 5);
  assert.equal(hub.connections.size, 1);
});

test("bm_36 a worker that is killed is replaced", async () => {
  const { hub, world } = start();
  const all = await tabs(world, 3, { share: "worker" });
  await publish(world, 5);
  world.end(world.workers()[0]);
  await publish(world, 5);
  await world.run(20000);
  assert.deepEqual(all.map((tab) => tab.seen), [10, 10, 10]);
  assert.equal(hub.connections.size, 1);
});

test("bm_06 what the browser lacks is done without", async () => {
  const { hub, world } = start();
  const lacks = [["SharedWorker"], ["SharedWorker", "navigator"], ["SharedWorker", "BroadcastChannel"]];
  const roles = [];
  for (const without of lacks) {
    const tab = new Tab(world, {}, { without });
    await world.run(5000);
    roles.push(tab.source.role);
  }
  assert.deepEqual(roles, ["leader", "direct", "direct"]);
  assert.equal(hub.connections.size, 3);
});

test("bm_06 a worker that says nothing gives way, and is taken once it speaks", async () => {
  const { hub, world } = start();
  const all = [new Tab(world)];
  world.workers()[0].frozen = true;
  await world.run(5000);
  assert.equal(all[0].source.role, "leader");
  await publish(world, 5);
  world.workers()[0].frozen = false;
  all.push(new Tab(world));
  await world.run(5000);
  await publish(world, 5);
  await world.run(1000);
  assert.deepEqual(all.map((tab) => tab.source.role), ["worker", "worker"]);
  assert.deepEqual(all.map((tab) => tab.next()), [undefined, undefined]);
  assert.equal(hub.connections.size, 1);
});

test("bm_32 silence is noticed, and the stream goes on from its place", async () => {
  const { hub, world } = start();
  const [tab] = await tabs(world, 1);
  await publish(world, 5);
  hub.mute();
  await publish(world, 5);
  await world.run(50000);
  assert.equal(tab.seen, 10);
});

test("bm_34 while offline nothing is tried, and online the next try is at once", async () => {
  const { hub, world } = start();
  const [tab] = await tabs(world, 1);
  hub.down = true;
  tab.realm.fire("offline");
  hub.cut();
  await world.run(3600000);
  hub.down = false;
  const before = world.now;
  tab.realm.fire("online");
  while (tab.source.readyState !== 1) await world.run(10);
  assert.ok(world.now - before < 200, `${world.now - before} ms`);
});

test("bm_20 a listener may change the topics, or close: the rest of what came is not for it", async () => {
  // What comes together is the dice's.
  for (let seed = 1; seed <= 20; seed += 1) {
    const { hub, world } = start(seed);
    const [tab, closing] = await tabs(world, 2);
    hub.down = true;
    hub.cut();
    for (let sent = 0; sent < 20; sent += 1) hub.publish(sent % 2 ? "a" : "b");
    tab.source.addEventListener("message", () => tab.topics.length < 2 && tab.setTopics(["a", "b"]));
    closing.source.addEventListener("message", () => closing.source.close());
    hub.down = false;
    await world.run(60000);
    assert.deepEqual([tab.seen, closing.seen], [19, 1]);
  }
});

test("bm_33 online again, the stream is made anew, and what the old one still brings is ignored", async () => {
  for (let seed = 1; seed <= 20; seed += 1) {
    const { hub, world } = start(seed);
    const all = await tabs(world, 2);
    for (const why of ["offline", "online"]) {
      for (let sent = 0; sent < 5; sent += 1) hub.publish("a");
      for (const tab of all) tab.realm.fire(why);
      // All have said so before one says otherwise.
      await world.run(20);
    }
    await world.run(5000);
    assert.deepEqual(all.map((tab) => tab.seen), [10, 10]);
    assert.equal(hub.opened, 2);
  }
});

test("bm_18 tabs from different places come together on one connection", async () => {
  const { hub, world } = start();
  await publish(world, 50);
  const early = new Tab(world, { lastEventId: "10" });
  early.place = 10;
  await world.run(1000);
  const earlier = new Tab(world, { lastEventId: "5" });
  earlier.place = 5;
  const late = new Tab(world);
  await world.run(1000);
  await publish(world, 5);
  await world.run(1000);
  assert.deepEqual([early.seen, earlier.seen, late.seen], [45, 50, 5]);
  assert.equal(hub.connections.size, 1);
});

/** Everything at once: tabs that come, go, sleep and change topics, hubs and workers that fail. */
async function storm(seed) {
  const { hub, world } = start(seed);
  const { random } = world;
  const pick = (list) => list[Math.floor(random() * list.length)];
  const share = pick(["worker", "leader", "auto"]);
  const all = [new Tab(world, { share })];
  const asleep = new Set();
  const deeds = [
    () => all.length < 6 && all.push(new Tab(world, { share, topics: pick([["a"], ["a"], ["a", "b"]]) })),
    () => all.length > 1 && world.end(all.splice(Math.floor(random() * all.length), 1)[0].realm),
    () => {
      const tab = pick(all);
      if (tab.realm.frozen) return;
      tab.freeze(random() < 0.5);
      asleep.add(tab);
    },
    () => {
      const tab = pick([...asleep]);
      if (tab) tab.thaw();
      asleep.delete(tab);
    },
    () => {
      const tab = pick(all);
      if (!tab.realm.frozen && tab.place !== undefined) tab.setTopics(pick([["a"], ["a", "b"], ["b"]]));
    },
    () => hub.cut(),
    () => hub.mute(),
    () => (hub.down = !hub.down),
    () => (hub.first = Math.max(hub.first, hub.log.length - 20)),
    () => world.workers().length > 0 && world.end(pick(world.workers())),
    () => pick(all).realm.frozen || pick(all).realm.fire(pick(["online", "offline"])),
  ];
  while (hub.log.length < 500) {
    hub.publish(pick(["a", "a", "b"]));
    if (random() < 0.04) pick(deeds)();
    await world.run(random() < 0.03 ? random() * 30000 : random() * 30);
  }
  hub.down = false;
  for (const tab of all) {
    if (tab.realm.frozen) tab.thaw();
    tab.realm.fire("online");
  }
  await world.run(200000);
  for (const topic of ["a", "b"]) hub.publish(topic);
  await world.run(5000);
  for (const tab of all) assert.equal(tab.next(), undefined, `${tab.topics} stopped at ${tab.place}`);
  const sets = new Set(all.map((tab) => String([...tab.topics].sort())));
  assert.equal(hub.connections.size, sets.size, "connections");
  return all.reduce((sum, tab) => sum + tab.seen, 0);
}

const seeds = Number(process.env.WEB_SEEDS ?? 1000);
test(`bm_52 ${seeds} storms: each tab sees the log from its place, each event once, or a gap`, async () => {
  let seen = 0;
  for (let seed = 1; seed <= seeds; seed += 1) {
    try {
      seen += await storm(seed);
    } catch (error) {
      error.message = `seed ${seed}: ${error.message}`;
      throw error;
    }
  }
  assert.ok(seen > 50 * seeds, `${seen} events`);
});
