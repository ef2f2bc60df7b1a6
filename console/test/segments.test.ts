import assert from "node:assert/strict";
import { test } from "node:test";
import { faultOf, guessed, ownField, ownMeaning } from "~/screens/imports/columns";
import {
  filterSentence,
  isComplete,
  newTest,
  pathsOf,
  read,
  toFilter,
  toGroup,
  written,
} from "~/screens/segments/filter";

const VIP = { field: "tags", op: "has_all", value: ["vip"] };
const GOLD = { field: "data.plan", op: "is", value: "gold" };

test("filters become groups of a form, and the same filters again", () => {
  for (const filter of [
    { all: [VIP, GOLD] },
    { any: [VIP, { all: [GOLD, VIP] }] },
    { not: { any: [VIP, GOLD] } },
    { all: [] },
    { all: [{ field: "created_at", op: "within", value: 86_400 }, { not: { any: [VIP] } }] },
  ]) {
    const found = toGroup(filter);
    assert.ok(found, JSON.stringify(filter));
    assert.deepEqual(toFilter(found), filter);
  }
  // These two mean the same in another form.
  assert.deepEqual(toFilter(toGroup(VIP) ?? { kind: "any", parts: [] }), { all: [VIP] });
  assert.deepEqual(toFilter(toGroup({ not: { all: [VIP] } }) ?? { kind: "any", parts: [] }), {
    not: { any: [{ all: [VIP] }] },
  });
});

test("filters of a form that is not known stay JSON", () => {
  for (const filter of [
    {},
    { xor: [VIP] },
    { all: [{ field: "tags", op: "is", value: "vip" }] },
    { all: "x" },
  ]) {
    assert.equal(toGroup(filter), null, JSON.stringify(filter));
  }
});

test("faults of the API find their parts", () => {
  const found = toGroup({ all: [VIP, { not: { any: [GOLD] } }] });
  assert.ok(found);
  assert.deepEqual(
    [...pathsOf(found).values()],
    ["filter", "filter.all[0]", "filter.all[1]", "filter.all[1].not.any[0]"],
  );
});

test("what is typed into a test is what the API takes", () => {
  assert.deepEqual(read("vip, new,", "texts"), ["vip", "new"]);
  assert.deepEqual(read("1, gold", "anys"), [1, "gold"]);
  assert.equal(read("1.5", "number"), 1.5);
  assert.equal(read("", "number"), "");
  assert.equal(read("true", "any"), true);
  assert.equal(read("true", "text"), "true");
  assert.equal(written(["vip", 7, "7"]), 'vip, 7, "7"');
});

test("a filter reads as a sentence", () => {
  assert.equal(filterSentence({ all: [VIP, GOLD] }), "Tags have all of vip and data.plan is gold");
  assert.equal(filterSentence({ not: { any: [VIP] } }), "not (Tags have all of vip)");
  assert.equal(filterSentence({ all: [] }), "Everybody");
});

test("columns are guessed by their headers, each meaning once", () => {
  assert.deepEqual(guessed(["E-Mail", "User ID", "Mail", "data.plan", "Notes", "name"]), {
    "E-Mail": "email",
    "User ID": "recipient_id",
    Mail: "",
    "data.plan": "data.plan",
    Notes: "",
    name: "name",
  });
});

test("columns without an identifier, or with one field twice, are not sent", () => {
  assert.match(faultOf({ Name: "name" }), /one of them is needed/);
  assert.match(faultOf({ Mail: "email", A: "data.plan", B: "data.plan:number" }), /the same/);
  assert.match(faultOf({ Mail: "email", A: "data." }), /a name/);
  assert.equal(faultOf({ Mail: "email", A: "data.plan", B: "" }), "");
  assert.deepEqual(ownField(ownMeaning("age", "number")), { name: "age", type: "number" });
  assert.equal(ownField("name"), null);
});

test("a test without what it compares with is not counted yet", () => {
  assert.equal(isComplete({ kind: "all", parts: [VIP, newTest("tags")] }), false);
  assert.equal(isComplete({ kind: "all", parts: [newTest("email")] }), false);
  assert.equal(isComplete({ ...newTest("data."), value: "x" }), false);
  assert.equal(
    isComplete({ kind: "all", parts: [VIP, { kind: "none", parts: [newTest("created_at")] }] }),
    true,
  );
});
