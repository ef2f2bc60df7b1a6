import { Combobox } from "@base-ui/react/combobox";
import { useQuery } from "@tanstack/react-query";
import { linkOptions, useNavigate, useParams } from "@tanstack/react-router";
import { Check, ChevronsUpDown } from "lucide-react";
import styles from "./TenantSwitcher.module.css";
import { tenantsQuery, useTenantId } from "./tenants";

interface Choice {
  value: string;
  label: string;
}

// The list of each kind of object, by the name of its id in paths.
const LISTS = [
  ["eventId", "/messages"],
  ["templateId", "/templates"],
  ["partId", "/templates/parts"],
  ["providerId", "/providers"],
  ["endpointId", "/endpoints"],
  ["recipientId", "/recipients"],
] as const;
const ALL: Choice = { value: "", label: "All tenants" };

/** Chooses the tenant in sight. It stands in the URL, so that a link shows the same to everybody. */
export function TenantSwitcher() {
  const navigate = useNavigate();
  const params = useParams({ strict: false });
  const tenantId = useTenantId() ?? "";
  const { data } = useQuery(tenantsQuery);
  const choices = [ALL, ...(data ?? []).map((one) => ({ value: one.id, label: one.name }))];
  const chosen = choices.find((one) => one.value === tenantId) ?? { value: tenantId, label: tenantId };
  const choose = (choice: Choice | null) => {
    void navigate(targetIn(choice?.value || undefined, params));
  };
  return (
    <Combobox.Root items={choices} value={chosen} onValueChange={choose} isItemEqualToValue={sameChoice}>
      <Combobox.Trigger className={styles.trigger} aria-label={`Tenant: ${chosen.label}`}>
        <span className={styles.name}>{chosen.label}</span>
        <ChevronsUpDown aria-hidden />
      </Combobox.Trigger>
      <Combobox.Portal>
        <Combobox.Positioner className={styles.positioner} sideOffset={4} align="start">
          <Combobox.Popup className={styles.popup} aria-label="Choose a tenant">
            <Combobox.Input className={styles.input} placeholder="Find a tenant" aria-label="Find a tenant" />
            <Combobox.Empty className={styles.empty}>No tenant has this name.</Combobox.Empty>
            <Combobox.List className={styles.list}>
              {(choice: Choice) => (
                <Combobox.Item key={choice.value} value={choice} className={styles.item}>
                  <Combobox.ItemIndicator className={styles.mark}>
                    <Check aria-hidden />
                  </Combobox.ItemIndicator>
                  <span>{choice.label}</span>
                </Combobox.Item>
              )}
            </Combobox.List>
          </Combobox.Popup>
        </Combobox.Positioner>
      </Combobox.Portal>
    </Combobox.Root>
  );
}

function sameChoice(one: Choice, other: Choice): boolean {
  return one.value === other.value;
}

/** Where a choice leads: the same screen, or from an object, which belongs to one tenant, to the list of its kind. */
function targetIn(tenant: string | undefined, params: Readonly<Record<string, string | undefined>>) {
  // Filters and cursors of one tenant mean nothing to another.
  const search = { tenant };
  if (params.tenantId) {
    return tenant
      ? linkOptions({ to: "/tenants/$tenantId", params: { tenantId: tenant }, search })
      : linkOptions({ to: "/tenants", search });
  }
  const list = LISTS.find(([name]) => params[name])?.[1] ?? ".";
  return linkOptions({ to: list, search });
}
