import { useQuery } from "@tanstack/react-query";
import { answer, api } from "~/api/client";
import { CodeBlock } from "~/kit/Copy";
import { ErrorNote } from "~/kit/ErrorNote";
import { Loading } from "~/kit/Loading";
import { Card } from "~/kit/Page";
import { triggerCommand } from "~/shell/triggerCommand";
import type { Channel, Template, Variables } from "./data";
import { filledIn, useSample } from "./samples/useSample";

const RECIPIENTS: Readonly<Record<Channel, Readonly<Record<string, string>>>> = {
  EMAIL: { userId: "u1", recipientEmail: "ada@example.com" },
  SMS: { userId: "u1", recipientPhone: "+254712345678" },
  PUSH: { userId: "u1" },
};
const NOTHING: Variables = {};

/** The command that sends an event of a template's type, with the sample's variables and those that it lacks. */
export function TriggerCard({ template, maySend }: { template: Template; maySend: boolean }) {
  const { variables, isLoading } = useSample(template.tenant_id, template.event_type, NOTHING, maySend);
  const whole = useQuery({
    queryKey: ["templates", "trigger", template.id, variables],
    queryFn: ({ signal }) => complete(template, variables, signal),
    enabled: !isLoading,
  });
  return (
    <Card title="Send it from your program">
      <p>
        Your program sends an event of this type, and everybody it names gets it on each channel that has an
        active template. Put a key of the tenant and an address in the place of the examples. The same event
        is not sent twice within 24 hours: change a variable to send another one.
      </p>
      {whole.error ? <ErrorNote error={whole.error} onRetry={() => void whole.refetch()} /> : null}
      {whole.data ? (
        <CodeBlock
          text={triggerCommand("YOUR_API_KEY", {
            eventType: template.event_type,
            payload: RECIPIENTS[template.channel],
            variables: whole.data,
          })}
          what="command"
        />
      ) : whole.error ? null : (
        <Loading />
      )}
    </Card>
  );
}

/** Return the variables with an example for each one that the template needs and they lack. */
async function complete(template: Template, variables: Variables, signal: AbortSignal): Promise<Variables> {
  const { channel, subject, preheader, body } = template;
  const draft = {
    ...{ channel, subject, preheader, body, layout_body: "", partials: {}, samples: [] },
    tenant_id: template.tenant_id ?? "",
    locale: template.locale ?? "",
    layout: template.layout ?? "",
    variables: variables as never,
  };
  const preview = await answer(api.POST("/api/v1/admin/templates/preview", { body: draft, signal }));
  return filledIn(
    variables,
    (preview.report?.missing ?? []).map((one) => one.name),
  );
}
