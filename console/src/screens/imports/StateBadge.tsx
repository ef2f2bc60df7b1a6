import { Badge } from "~/kit/Badge";
import { type Import, STATES } from "./data";

/** How an import is doing, in a word. */
export function StateBadge({ of }: { of: Import }) {
  const [words, tone] = STATES[of.state ?? ""] ?? [of.state ?? "", "neutral"];
  return <Badge tone={tone}>{words}</Badge>;
}
