import { useQuery } from "@tanstack/react-query";
import { Trash2 } from "lucide-react";
import { useId } from "react";
import { managedAccounts, type Role, useSession } from "~/api/session";
import { Button, IconButton } from "~/kit/Button";
import { SelectField } from "~/kit/Field";
import { FieldGroup } from "~/kit/Form";
import { type Tenant, tenantsQuery } from "~/shell/tenants";
import styles from "./Memberships.module.css";
import type { Membership, User } from "./queries";

const ROLES: readonly { role: Role; label: string }[] = [
  { role: "viewer", label: "Viewer: reads, no secrets" },
  { role: "developer", label: "Developer: templates, events, endpoints" },
  { role: "operator", label: "Operator: providers, keys, replays, settings" },
  { role: "owner", label: "Owner: users, audit log, everything" },
];
const EVERYWHERE = "everywhere";

/** Where a person has which role. */
export function MembershipsField({
  value,
  onChange,
  error,
}: {
  value: readonly Membership[];
  onChange: (value: Membership[]) => void;
  error?: string | undefined;
}) {
  const accounts = managedAccounts(useSession());
  const known = useQuery(tenantsQuery).data ?? [];
  const tenants = accounts === null ? known : known.filter((one) => accounts.includes(one.account_id));
  const free = freePlace(value, tenants, accounts === null);
  const id = useId();
  const replace = (index: number, changed: Membership) =>
    onChange(value.map((one, place) => (place === index ? changed : one)));
  return (
    <FieldGroup
      legend="Roles"
      help={
        accounts === null
          ? "A role in the whole installation reaches every tenant; one in an account also the tenants that it gets later."
          : "A role in an account reaches also the tenants that it gets later."
      }
    >
      {value.map((one, index) => (
        <div key={`${id}-${placeOf(one)}`} className={styles.row}>
          <SelectField
            label="Where"
            value={placeOf(one)}
            onChange={(event) => replace(index, { ...membershipIn(event.target.value), role: one.role })}
          >
            <Places
              tenants={tenants}
              isEverywhere={accounts === null}
              chosen={placeOf(one)}
              taken={value.map(placeOf)}
            />
          </SelectField>
          <SelectField
            label="Role"
            value={one.role}
            onChange={(event) => replace(index, { ...one, role: event.target.value as Role })}
          >
            {ROLES.map(({ role, label }) => (
              <option key={role} value={role}>
                {label}
              </option>
            ))}
          </SelectField>
          <IconButton
            label={`Remove the role ${index + 1}`}
            onClick={() => onChange(value.filter((_, place) => place !== index))}
          >
            <Trash2 aria-hidden />
          </IconButton>
        </div>
      ))}
      {value.length === 0 ? <p>Without a role this person can sign in, and sees nothing.</p> : null}
      {error ? <p role="alert">{error}</p> : null}
      <div>
        <Button
          size="small"
          disabled={free === undefined}
          onClick={() =>
            free === undefined ? undefined : onChange([...value, { ...membershipIn(free), role: "viewer" }])
          }
        >
          Add a role
        </Button>
      </div>
    </FieldGroup>
  );
}

function Places({
  tenants,
  isEverywhere,
  chosen,
  taken,
}: {
  tenants: readonly Tenant[];
  /** Whether the person may give roles in the whole installation. */
  isEverywhere: boolean;
  chosen: string;
  taken: readonly string[];
}) {
  const accounts = new Map<string, string[]>();
  for (const one of tenants) {
    accounts.set(one.account_id, [...(accounts.get(one.account_id) ?? []), one.name]);
  }
  const places: [string, string][] = [
    ...(isEverywhere ? [[EVERYWHERE, "The whole installation"] as [string, string]] : []),
    ...tenants.map((one): [string, string] => [`tenant:${one.id}`, `Tenant ${one.name}`]),
    ...[...accounts].map(([account, names]): [string, string] => [
      `account:${account}`,
      `All tenants of the account of ${names.join(", ")}`,
    ]),
  ];
  if (!places.some(([place]) => place === chosen)) {
    places.push([chosen, chosen.replace(":", " ")]);
  }
  return places.map(([place, label]) => (
    <option key={place} value={place} disabled={place !== chosen && taken.includes(place)}>
      {label}
    </option>
  ));
}

function placeOf(one: Membership): string {
  if (one.tenant_id) {
    return `tenant:${one.tenant_id}`;
  }
  return one.account_id ? `account:${one.account_id}` : EVERYWHERE;
}

function membershipIn(place: string): Omit<Membership, "role"> {
  const [kind, id] = place.split(":");
  return {
    tenant_id: kind === "tenant" && id ? id : null,
    account_id: kind === "account" && id ? id : null,
  };
}

/** Return a place that has no role yet, if there is one. */
function freePlace(
  value: readonly Membership[],
  tenants: readonly Tenant[],
  isEverywhere: boolean,
): string | undefined {
  const taken = new Set(value.map(placeOf));
  const places = [
    ...(isEverywhere ? [EVERYWHERE] : []),
    ...tenants.map((one) => `tenant:${one.id}`),
    ...tenants.map((one) => `account:${one.account_id}`),
  ];
  return places.find((place) => !taken.has(place));
}

/** Say in words where a user has which role. */
export function MembershipWords({ of: user, tenantName }: { of: User; tenantName: (id: string) => string }) {
  if (user.memberships.length === 0) {
    return <>none</>;
  }
  return (
    <ul className={styles.words}>
      {user.memberships.map((one) => (
        <li key={placeOf(one)}>
          {one.role}
          {one.tenant_id
            ? ` of ${tenantName(one.tenant_id)}`
            : one.account_id
              ? ` of an account`
              : " of the installation"}
        </li>
      ))}
    </ul>
  );
}
