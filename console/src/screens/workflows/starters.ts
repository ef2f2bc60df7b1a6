import { newStep, type Step, type WorkflowDocument } from "./document";

/** A workflow to begin with. */
export interface Starter {
  name: string;
  text: string;
  make: () => WorkflowDocument;
}

const DAY_S = 86_400;

function email(name: string): Step {
  return { ...newStep("send"), name };
}

function wait(seconds: number): Step {
  return { ...newStep("delay"), for_s: seconds } as Step;
}

/** Workflows to begin with. Their templates are still to be chosen. */
export const STARTERS: readonly Starter[] = [
  { name: "One message", text: "An e-mail, at once.", make: () => ({ steps: [email("The message")] }) },
  {
    name: "A series",
    text: "A welcome, a day later first steps, and three days later an offer.",
    make: () => ({
      steps: [email("Welcome"), wait(DAY_S), email("First steps"), wait(3 * DAY_S), email("Offer")],
    }),
  },
  {
    name: "A text message if the e-mail fails",
    text: "An e-mail; an hour later an SMS to those whom it did not reach.",
    make: () => {
      const first = email("The e-mail");
      return {
        steps: [
          first,
          wait(3600),
          {
            ...newStep("condition"),
            rule: {
              in: [{ var: `steps.${first.id}.status` }, ["failed", "dead", "bounced", "skipped"]],
            },
            then: [{ ...newStep("send"), channel: "SMS", name: "The text message" }],
          } as Step,
        ],
      };
    },
  },
  {
    name: "Several channels at once",
    text: "An e-mail and a push message, at most once a day for each person.",
    make: () => ({
      filters: { cooldown_s: DAY_S },
      steps: [
        {
          ...newStep("parallel"),
          branches: [
            [email("The e-mail")],
            [{ ...newStep("send"), channel: "PUSH", name: "The push message" }],
          ],
        } as Step,
      ],
    }),
  },
  { name: "Empty", text: "Begin with the first step.", make: () => ({ steps: [] }) },
];
