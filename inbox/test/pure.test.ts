import assert from "node:assert/strict";
import { test } from "node:test";
import { segment } from "../src/api.js";
import { Backoff } from "../src/backoff.js";
import { segments } from "../src/links.js";
import { ItemList } from "../src/list.js";
import { published } from "../src/live.js";
import { corner } from "../src/place.js";
import { SessionSource } from "../src/session.js";
import { counted, english, fill } from "../src/texts.js";
import { german } from "../src/texts/de.js";
import { relative } from "../src/time.js";
import type { Item } from "../src/types.js";

function item(id: string, at: number, read = false): Item {
  const createdAt = new Date(Date.UTC(2026, 3, 22, 12, 0, at)).toISOString();
  return { id, eventType: "order.confirmed", title: id, body: "", read, createdAt };
}

const ids = (list: ItemList): string[] => list.newestFirst().map((one) => one.id);

test("only addresses with http or https are links, without what ends a sentence", () => {
  const cases: [string, string[]][] = [
    ["see https://acorn.example/a?b=1#c.", ["https://acorn.example/a?b=1#c"]],
    ["(https://acorn.example/a_(b)) and http://x.example!", ["https://acorn.example/a_(b)", "http://x.example/"]],
    ["javascript:alert(1) data:text/html,x vbscript:x file:///etc mailto:a@b.example", []],
    ["https://user:pass@acorn.example/ https://acorn.example:99999/", []],
    ['https://acorn.example/"onmouseover="alert(1)', ["https://acorn.example/"]],
    ["https://acorn.example/\u202egpj.exe", ["https://acorn.example/"]],
    [`https://acorn.example/${"a".repeat(3000)}`, []],
    ["xhttps://acorn.example", []],
    ["", []],
  ];
  for (const [text, wanted] of cases) {
    const found = segments(text);
    assert.deepEqual(found.flatMap((one) => one.href ?? []), wanted, text);
    assert.equal(found.map((one) => one.text).join(""), text);
  }
});

test("each notification is there once, newest first, however it came", () => {
  const list = new ItemList();
  list.merge([item("b", 2), item("a", 1)], true);
  assert.equal(list.add(item("c", 3)), true);
  assert.equal(list.add(item("c", 3)), false);
  assert.deepEqual(list.merge([item("d", 4), item("c", 3), item("b", 2)], false).map((one) => one.id), ["d"]);
  assert.deepEqual(ids(list), ["d", "c", "b", "a"]);
});

test("two of the same second stay in the order in which they arrived", () => {
  const list = new ItemList();
  list.add(item("first", 5));
  list.add(item("second", 5));
  assert.deepEqual(ids(list), ["second", "first"]);
});

test("a page that closes no gap replaces what was known, but not what arrived meanwhile", () => {
  const list = new ItemList();
  list.merge([item("old", 1)], true);
  list.anchorAll();
  list.add(item("live", 9));
  assert.equal(list.isAnchor("old"), true);
  assert.equal(list.isAnchor("live"), false);
  list.merge([item("new", 8)], true);
  assert.deepEqual(ids(list), ["live", "new"]);
  assert.equal(list.hasAnchors, false);
});

test("what was marked here stays read over a page that was read before", () => {
  const list = new ItemList();
  list.merge([item("a", 1)], true);
  assert.equal(list.markRead("a"), true);
  assert.equal(list.markRead("a"), false);
  list.merge([item("a", 1, false)], false);
  assert.equal(list.get("a")?.read, true);
  list.unmarkRead("a");
  assert.equal(list.get("a")?.read, false);
  list.merge([item("a", 1, true)], false);
  assert.equal(list.get("a")?.read, true);
});

test("delays grow to their bound, are never zero, and differ", () => {
  const longest = new Backoff(1000, 8000, () => 1);
  assert.deepEqual([1, 2, 3, 4, 5].map(() => longest.next()), [1000, 2000, 4000, 8000, 8000]);
  const shortest = new Backoff(1000, 8000, () => 0);
  assert.equal(shortest.next(), 500);
  shortest.next();
  shortest.reset();
  assert.equal(shortest.next(), 500);
});

test("a publication that is not a notification is none", () => {
  for (const data of [null, undefined, 7, "x", {}, { referenceId: 7 }, { referenceId: "" }]) {
    assert.equal(published(data), undefined);
  }
  const told = { referenceId: "n1", title: "T", body: 7, eventType: "x", timestamp: 1776859200 };
  assert.deepEqual(published(told), {
    id: "n1",
    eventType: "x",
    title: "T",
    body: "",
    read: false,
    createdAt: "2026-04-22T12:00:00.999Z",
  });
});

test("the list opens at the bell, where there is room, and within the window", () => {
  const bell = { left: 900, right: 940, top: 10, bottom: 50 };
  const window = { width: 1000, height: 600 };
  const size = { width: 400, height: 300 };
  assert.deepEqual(corner(bell, size, window, "bottom-end", false), { left: 540, top: 56 });
  assert.deepEqual(corner(bell, size, window, "bottom-start", false), { left: 592, top: 56 });
  assert.deepEqual(corner(bell, size, window, "bottom-end", true), { left: 592, top: 56 });
  assert.deepEqual(corner(bell, size, window, "top-end", false), { left: 540, top: 56 });
  const low = { left: 10, right: 50, top: 540, bottom: 580 };
  assert.deepEqual(corner(low, size, window, "bottom-start", false), { left: 10, top: 234 });
  assert.deepEqual(corner(low, size, { width: 390, height: 600 }, "bottom-start", false), { left: 8, top: 234 });
});

test("times read as people say them, and never as the future", () => {
  const now = Date.UTC(2026, 3, 22, 12, 0, 0);
  const ago = (seconds: number): string => relative(now - seconds * 1000, now, "en");
  assert.deepEqual(
    [-60, 3, 42, 61, 3 * 3600, 30 * 3600, 3 * 86_400].map(ago),
    ["now", "now", "42 seconds ago", "1 minute ago", "3 hours ago", "yesterday", "3 days ago"],
  );
  assert.equal(ago(30 * 86_400), "Mar 23");
  assert.equal(ago(400 * 86_400), "Mar 18, 2025");
  assert.equal(relative(now - 7200_000, now, "de"), "vor 2 Stunden");
  assert.equal(relative(NaN, now, "en"), "");
});

test("texts are filled once, and counted by the rules of the language", () => {
  assert.equal(fill("{a} and {b}", { a: "{b}", b: "2" }), "{b} and 2");
  assert.equal(fill("{title}", {}), "{title}");
  assert.equal(counted(english.unread, 1234, "en"), "Notifications, 1,234 unread");
  assert.equal(counted({ one: "{count} нова", few: "{count} нові", other: "{count} нових" }, 3, "uk"), "3 нові");
  assert.deepEqual(Object.keys(german).sort(), Object.keys(english).sort());
});

test("an id in a path is encoded whole", () => {
  assert.equal(segment(".."), "%2E%2E");
  assert.equal(segment("a/b?ü"), "a%2Fb%3F%C3%BC");
});

test("a session is asked for once at a time, and again when it was refused", async () => {
  const sessions = new SessionSource();
  let asked = 0;
  const getToken = async () => ({ token: `t${++asked}`, channels: [] });
  await assert.rejects(sessions.get(), /getToken is not set/);
  const one = {};
  const other = {};
  sessions.add(one, getToken);
  sessions.add(other, getToken); // two components with the same function: one may go
  sessions.delete(one);
  assert.deepEqual((await Promise.all([sessions.get(), sessions.get()])).map((session) => session.token), ["t1", "t1"]);
  sessions.refuse("t0"); // an old one: it was replaced already
  assert.equal((await sessions.get()).token, "t1");
  sessions.refuse("t1");
  assert.equal((await sessions.get()).token, "t2");
  sessions.forget();
  assert.equal((await sessions.get()).token, "t3");
  sessions.delete(other);
  sessions.add(one, async () => ({ token: 7, channels: [] }) as never);
  await assert.rejects(sessions.renew(), { kind: "token" });
});

test("another person's session is noticed", async () => {
  const sessions = new SessionSource();
  let user = "ada";
  let replaced = 0;
  sessions.replaced = () => replaced++;
  sessions.add({}, () => ({ token: "t", channels: [], user }));
  await sessions.renew();
  await sessions.renew();
  assert.equal(replaced, 0);
  user = "bob";
  await sessions.renew();
  assert.equal(replaced, 1);
});
