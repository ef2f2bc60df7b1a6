import { Combobox } from "@base-ui/react/combobox";
import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { Check, ChevronsUpDown } from "lucide-react";
import styles from "./TenantSwitcher.module.css";
import { tenantsQuery, useTenantId } from "./tenants";

interface Choice {
  value: string;
  label: string;
}

const ALL: Choice = { value: "", label: "All tenants" };

/** Chooses the tenant in sight. It stands in the URL, so that a link shows the same to everybody. */
export function TenantSwitcher() {
  const navigate = useNavigate();
  const tenantId = useTenantId() ?? "";
  const { data } = useQuery(tenantsQuery);
  const choices = [ALL, ...(data ?? []).map((one) => ({ value: one.id, label: one.name }))];
  const chosen = choices.find((one) => one.value === tenantId) ?? { value: tenantId, label: tenantId };
  const choose = (choice: Choice | null) => {
    // Filters and cursors of one tenant mean nothing to another.
    void navigate({ to: ".", search: { tenant: choice?.value || undefined } });
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
