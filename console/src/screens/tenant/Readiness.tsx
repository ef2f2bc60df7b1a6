import { useQuery } from "@tanstack/react-query";
import { answer, api, type Schemas } from "~/api/client";
import { Badge, type Tone } from "~/kit/Badge";
import { Button, LinkButton } from "~/kit/Button";
import { ErrorNote } from "~/kit/ErrorNote";
import { Loading } from "~/kit/Loading";
import { Card } from "~/kit/Page";
import { ConsoleLink, ConsoleLinkButton } from "~/shell/ConsoleLink";
import styles from "./Readiness.module.css";

type Finding = Schemas["Finding"];

const MOST_ON_BUTTON = 40;

const SEVERITIES: Readonly<Record<string, readonly [tone: Tone, word: string]>> = {
  blocks: ["bad", "blocks"],
  warns: ["wait", "warning"],
  tells: ["calm", "note"],
};

interface ReadinessProps {
  tenantId: string;
  /** Those that the tenant delivers by; empty: all. */
  channels: readonly string[];
}

/** What is missing for a tenant to deliver, each with a link to where it is fixed. */
export function Readiness({ tenantId, channels }: ReadinessProps) {
  const { data, error, isFetching, refetch } = useQuery({
    queryKey: ["tenants", tenantId, "readiness"],
    queryFn: ({ signal }) =>
      answer(api.GET("/api/v1/admin/tenants/{id}/readiness", { params: { path: { id: tenantId } }, signal })),
  });
  return (
    <Card
      title="What is missing"
      actions={
        <>
          <LinkButton
            size="small"
            to="/test-send"
            search={{ tenant: tenantId, channel: firstChannel(channels) }}
          >
            Send a test
          </LinkButton>
          <Button size="small" onClick={() => void refetch()} isBusy={isFetching}>
            Check again
          </Button>
        </>
      }
    >
      {error ? <ErrorNote error={error} onRetry={() => void refetch()} /> : null}
      {data ? <Found readiness={data} /> : error ? null : <Loading />}
    </Card>
  );
}

/** A push needs no provider and has a template in every installation, so that a test works at once. */
function firstChannel(channels: readonly string[]): "PUSH" | undefined {
  return channels.length === 0 || channels.includes("PUSH") ? "PUSH" : undefined;
}

function Found({ readiness }: { readiness: Schemas["Readiness"] }) {
  const { findings, unanswered } = readiness;
  return (
    <>
      {findings.length > 0 ? (
        <ul className={styles.list}>
          {findings.map((one) => (
            <Item key={`${one.code} ${one.detail}`} finding={one} />
          ))}
        </ul>
      ) : unanswered.length === 0 ? (
        <p>Nothing: this tenant can deliver. Send a test, and see what becomes of it.</p>
      ) : null}
      {unanswered.length > 0 ? (
        <p>
          <Badge tone="wait">incomplete</Badge> These did not answer, so more may be missing:{" "}
          {unanswered.join(", ")}.
        </p>
      ) : null}
    </>
  );
}

function Item({ finding }: { finding: Finding }) {
  const [tone, word] = SEVERITIES[finding.severity] ?? ["neutral", finding.severity];
  return (
    <li>
      <Badge tone={tone}>{word}</Badge>
      <div>
        <p>{finding.detail}</p>
        <Fix path={finding.link}>{finding.fix}</Fix>
      </div>
    </li>
  );
}

/** What to do about a finding: a button, or a link where it takes a sentence to say it. */
function Fix({ path, children }: { path: string; children: string }) {
  const Kind = children.length > MOST_ON_BUTTON ? ConsoleLink : ConsoleLinkButton;
  return <Kind path={path}>{children}</Kind>;
}
