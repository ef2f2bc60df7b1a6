import type { paths } from "~/api/schema";

export const METHODS = ["POST", "PUT", "PATCH", "DELETE"] as const;

type Query = NonNullable<paths["/api/v1/admin/audit"]["get"]["parameters"]["query"]>;
export type AuditKind = NonNullable<Query["kind"]>;

const LABELS: Readonly<Record<AuditKind, string>> = {
  alerts: "Alerts",
  api_key: "API keys",
  application: "Applications",
  delivery: "Deliveries",
  encryption: "Encryption",
  endpoint: "Endpoints",
  environment: "Environments",
  event: "Events",
  event_type: "Event types",
  group: "Groups",
  import: "Imports",
  provider: "Providers",
  recipient: "Recipients",
  replay: "Replays",
  sample: "Samples of templates",
  segment: "Segments",
  schedule: "Schedules",
  session: "Signing in and out",
  suppression: "Suppressions",
  template: "Templates",
  template_part: "Layouts and partials",
  tenant: "Tenants",
  user: "Users",
  workflow: "Workflows",
  workflow_run: "Workflow runs",
};

/** What a change may be about. The record above is complete: its type says so. */
export const KINDS = (Object.keys(LABELS) as AuditKind[]).map((kind) => ({ kind, label: LABELS[kind] }));

/** The filters of the audit log. since, until: times in UTC. */
export interface AuditFilters {
  actor?: string | undefined;
  resource?: string | undefined;
  method?: (typeof METHODS)[number] | undefined;
  kind?: AuditKind | undefined;
  since?: string | undefined;
  until?: string | undefined;
}
