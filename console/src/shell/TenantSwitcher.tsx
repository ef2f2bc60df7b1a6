import { useQuery } from "@tanstack/react-query";
import { linkOptions, useLocation, useNavigate, useParams } from "@tanstack/react-router";
import { type Choice, Chooser } from "~/kit/Chooser";
import styles from "./TenantSwitcher.module.css";
import { tenantsQuery, useTenantId } from "./tenants";

// The list of each kind of object, with the name of the id in the paths below it.
const LISTS = [
  ["eventId", "/messages"],
  ["eventId", "/triggers"],
  ["templateId", "/templates"],
  ["partId", "/templates/parts"],
  ["providerId", "/providers"],
  ["endpointId", "/endpoints"],
  ["recipientId", "/recipients"],
  ["workflowId", "/workflows"],
  ["segmentId", "/segments"],
  ["scheduleId", "/schedules"],
  ["importId", "/imports"],
] as const;
const ALL: Choice = { value: "", label: "All tenants" };

/** Chooses the tenant in sight. It stands in the URL, so that a link shows the same to everybody. */
export function TenantSwitcher() {
  const navigate = useNavigate();
  const params = useParams({ strict: false });
  const path = useLocation({ select: (location) => location.pathname });
  const tenantId = useTenantId() ?? "";
  const { data } = useQuery(tenantsQuery);
  const choices = [ALL, ...(data ?? []).map((one) => ({ value: one.id, label: one.name }))];
  const chosen = choices.find((one) => one.value === tenantId) ?? { value: tenantId, label: tenantId };
  return (
    <Chooser
      choices={choices}
      chosen={chosen}
      onChoose={(choice) => void navigate(targetIn(choice.value || undefined, path, params))}
      find="Find a tenant"
      none="No tenant has this name."
      trigger={{ className: styles.trigger, "aria-label": `Tenant: ${chosen.label}` }}
    />
  );
}

/** Where a choice leads: the same screen, or from an object, which belongs to one tenant, to the list of its kind. */
function targetIn(
  tenant: string | undefined,
  path: string,
  params: Readonly<Record<string, string | undefined>>,
) {
  // Filters and cursors of one tenant mean nothing to another.
  const search = { tenant };
  if (params.tenantId) {
    return tenant
      ? linkOptions({ to: "/tenants/$tenantId", params: { tenantId: tenant }, search })
      : linkOptions({ to: "/tenants", search });
  }
  const list = LISTS.find(([name, list]) => params[name] && path.includes(`${list}/`))?.[1] ?? ".";
  return linkOptions({ to: list, search });
}
