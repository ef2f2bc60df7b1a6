import { Badge, type Tone } from "~/kit/Badge";
import type { DryStep } from "../data";

const WORDS: Readonly<Record<string, readonly [string, Tone]>> = {
  sent: ["would be sent", "good"],
  skipped: ["would be skipped", "wait"],
  waiting: ["would wait", "calm"],
  went_on: ["would go on", "calm"],
  condition_met: ["holds", "good"],
  condition_not_met: ["does not hold", "wait"],
  passed_over: ["would be passed over", "neutral"],
  stopped: ["would stop here", "neutral"],
  ended: ["would end here", "neutral"],
  failed: ["would fail", "bad"],
};

/** What a dry run says of a step, in a few words. */
export function OutcomeBadge({ step }: { step: DryStep | undefined }) {
  if (step === undefined) {
    return null;
  }
  const [words, tone] = WORDS[step.outcome] ?? [step.outcome, "neutral"];
  return <Badge tone={tone}>{words}</Badge>;
}
