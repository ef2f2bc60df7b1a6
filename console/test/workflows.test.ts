import assert from "node:assert/strict";
import { test } from "node:test";
import {
  copyOf,
  isSame,
  mayMove,
  moveStep,
  newStep,
  nextPlace,
  placesFor,
  readDocument,
  removeStep,
  type Step,
  updateStep,
  type WorkflowDocument,
  walk,
} from "~/screens/workflows/document";
import { ruleWords, toComparisons, toRule, typed } from "~/screens/workflows/rules";
import { outline, span, stepWords } from "~/screens/workflows/words";

const send = (id: string): Step => ({ id, kind: "send", channel: "EMAIL", template: { key: id } });
const IF_PRO = { "==": [{ var: "event.data.plan" }, "pro"] };
const DOCUMENT: WorkflowDocument = {
  filters: { tags: ["new"], cooldown_s: 3600 },
  steps: [
    send("a"),
    { id: "c", kind: "condition", rule: IF_PRO, then: [send("t")], else: [] },
    { id: "p", kind: "parallel", branches: [[send("x"), send("y")], [send("z")]] },
  ],
};
const order = (document: WorkflowDocument) =>
  walk(document).map(({ step, place }) => `${place.parent ?? ""}/${place.list}/${place.index}:${step.id}`);

test("a walk names each step as the API names it in faults", () => {
  assert.deepEqual(
    walk(DOCUMENT).map((one) => one.path),
    [
      "steps[0]",
      "steps[1]",
      "steps[1].then[0]",
      "steps[2]",
      "steps[2].branches[0][0]",
      "steps[2].branches[0][1]",
      "steps[2].branches[1][0]",
    ],
  );
});

test("a step moves within its list, into another, and never into itself", () => {
  const down = moveStep(DOCUMENT, "a", { parent: null, list: 0, index: 2 });
  assert.deepEqual(
    down.steps.map((one) => one.id),
    ["c", "a", "p"],
  );
  const into = moveStep(DOCUMENT, "a", { parent: "c", list: 1, index: 0 });
  assert.deepEqual(order(into).slice(0, 3), ["/0/0:c", "c/0/0:t", "c/1/0:a"]);
  assert.equal(mayMove(DOCUMENT, "p", { parent: "p", list: 0, index: 0 }), false);
  assert.equal(moveStep(DOCUMENT, "p", { parent: "p", list: 0, index: 0 }), DOCUMENT);
});

test("the arrow keys bring a step through every place, and back the same way", () => {
  const seen = [order(DOCUMENT)];
  let document = DOCUMENT;
  for (let place = nextPlace(document, "a", 1); place; place = nextPlace(document, "a", 1)) {
    document = moveStep(document, "a", place);
    seen.push(order(document));
  }
  // The places before and after it are one.
  assert.equal(seen.length, placesFor(DOCUMENT, "a").length - 1);
  assert.equal(new Set(seen.map(String)).size, seen.length);
  assert.deepEqual(
    document.steps.map((one) => one.id),
    ["c", "p", "a"],
  );
  for (let place = nextPlace(document, "a", -1); place; place = nextPlace(document, "a", -1)) {
    document = moveStep(document, "a", place);
    assert.deepEqual(
      order(document),
      seen[seen.findLastIndex((one) => String(one) === String(order(document)))],
    );
  }
  assert.ok(isSame(document, DOCUMENT));
});

test("a change of one step leaves the others as they are", () => {
  const changed = updateStep(DOCUMENT, "y", (step) => ({ ...step, name: "Yes" }));
  assert.equal(walk(changed).find((one) => one.step.id === "y")?.step.name, "Yes");
  assert.equal(changed.steps[1], DOCUMENT.steps[1]);
  assert.deepEqual(order(removeStep(DOCUMENT, "p")), ["/0/0:a", "/0/1:c", "c/0/0:t"]);
});

test("a copy has other ids, within it too", () => {
  const [, , parallel] = DOCUMENT.steps;
  const copied = walk({ steps: [copyOf(parallel ?? newStep("stop"))] }).map((one) => one.step);
  assert.deepEqual(
    copied.map((one) => one.kind),
    ["parallel", "send", "send", "send"],
  );
  assert.equal(new Set([...copied.map((one) => one.id), "p", "x", "y", "z"]).size, 8);
});

test("a document of a form that is not known is not worked on", () => {
  assert.ok(readDocument({ ...DOCUMENT }));
  for (const steps of [
    undefined,
    [{ id: "a", kind: "digest" }],
    [{ id: "a", kind: "parallel" }],
    [{ kind: "stop" }],
    [7],
  ]) {
    assert.equal(readDocument({ steps }), null);
  }
});

test("rules become rows of a form, and the same rules again", () => {
  const rules = [
    IF_PRO,
    { "!!": [{ var: "contact.email" }] },
    { and: [{ ">": [{ var: "event.data.total" }, 100] }, { in: ["vip", { var: "contact.tags" }] }] },
    { or: [{ in: [{ var: "contact.locale" }, ["de", "fr"]] }, { "!": [{ var: "contact.phone" }] }] },
    { "!=": [{ var: "event.data.code" }, "12"] },
  ];
  for (const rule of rules) {
    const found = toComparisons(rule);
    assert.ok(found, JSON.stringify(rule));
    assert.deepEqual(toRule(found), rule);
  }
  assert.equal(
    ruleWords(rules[2] ?? {}),
    "event.data.total is more than 100 and contact.tags contains “vip”",
  );
});

test("rules that a form cannot show stay JSON", () => {
  const rules = [
    { "+": [1, 2] },
    { and: [IF_PRO, { or: [IF_PRO] }] },
    { "==": [{ var: ["event.data.plan", "free"] }, "pro"] },
    { in: [{ var: "contact.locale" }, ["a,b"]] },
    { and: [] },
    {},
  ];
  for (const rule of rules) {
    assert.equal(toComparisons(rule), null, JSON.stringify(rule));
  }
  assert.equal(ruleWords({ "+": [1, 2] }), '{"+":[1,2]}');
});

test("what is typed keeps its type", () => {
  assert.deepEqual(["7", "-1.5", "true", '"7"', "07", "pro", ""].map(typed), [
    7,
    -1.5,
    true,
    "7",
    "07",
    "pro",
    "",
  ]);
});

test("steps read as sentences", () => {
  assert.equal(span(93_784), "1 day 2 hours 3 minutes 4 seconds");
  const delay = (fields: object) => stepWords({ id: "d", kind: "delay", ...fields });
  assert.equal(delay({ for_s: 3600 }), "Wait 1 hour");
  assert.equal(
    delay({ until: { time: "09:00", days: ["mon", "wed"] } }),
    "Wait until Monday, Wednesday, 09:00 (the person’s time zone)",
  );
  assert.equal(
    delay({ from: { path: "event.data.starts_at", offset_s: -7200 } }),
    "Wait until 2 hours before event.data.starts_at",
  );
  assert.equal(
    delay({
      within: {
        from: "09:00",
        to: "17:00",
        days: ["mon", "tue", "wed", "thu", "fri"],
        timezone: "Europe/Berlin",
      },
    }),
    "Wait for Monday to Friday, 09:00 to 17:00 (Europe/Berlin)",
  );
});

test("an outline says everything that a document says", () => {
  assert.equal(
    outline(DOCUMENT),
    [
      "Only people with the tag new",
      "At most once in 1 hour for each person",
      "E-mail with the template a",
      "If event.data.plan is “pro”",
      "  Then",
      "    E-mail with the template t",
      "  Otherwise: nothing",
      "At the same time, in 2 branches",
      "  Branch 1",
      "    E-mail with the template x",
      "    E-mail with the template y",
      "  Branch 2",
      "    E-mail with the template z",
    ].join("\n"),
  );
});
