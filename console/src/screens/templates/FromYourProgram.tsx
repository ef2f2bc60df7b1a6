import { Link } from "@tanstack/react-router";
import { CodeBlock } from "~/kit/Copy";
import { Card } from "~/kit/Page";
import { eventCommand } from "~/screens/tenants/curl";
import type { Template } from "./data";
import { useSample } from "./samples/useSample";
import { PLATFORM_SAMPLE } from "./starters";

const PEOPLE: Readonly<Record<Template["channel"], Readonly<Record<string, string>>>> = {
  EMAIL: { userId: "demo", recipientEmail: "you@example.com" },
  SMS: { userId: "demo", recipientPhone: "+254712345678" },
  PUSH: { userId: "demo" },
};

/** The call by which a program sends an event of this type, with the sample as its data. */
export function FromYourProgram({ template, mayEdit }: { template: Template; mayEdit: boolean }) {
  const fallback = template.event_type.startsWith("global.") ? PLATFORM_SAMPLE : {};
  const sample = useSample(template.tenant_id, template.event_type, fallback, mayEdit);
  return (
    <Card title="Send it from your program">
      <p>
        Put an{" "}
        {template.tenant_id === null ? (
          "API key of a tenant"
        ) : (
          <Link to="/tenants/$tenantId/keys" params={{ tenantId: template.tenant_id }}>
            API key of the tenant
          </Link>
        )}{" "}
        into the variable <code>CLARION_API_KEY</code>, and say who gets it. The variables are those of the
        sample. The same call again within 24 hours is a duplicate and is not sent.
      </p>
      {sample.isLoading ? null : (
        <CodeBlock
          text={eventCommand(template.event_type, PEOPLE[template.channel], sample.variables)}
          what="command"
        />
      )}
    </Card>
  );
}
