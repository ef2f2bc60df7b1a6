import type { Schemas } from "~/api/client";
import type { Endpoint } from "./queries";

/** A header as it is entered. A value "***" is one that is stored and hidden. */
export interface HeaderRow {
  key: number;
  name: string;
  value: string;
}

/** What the person entered. */
export interface Entered {
  kind: Endpoint["kind"];
  mode: Endpoint["mode"];
  url: string;
  description: string;
  environment: string;
  application: string;
  rate: string;
  headers: readonly HeaderRow[];
  username: string;
  password: string;
}

/** Return what the form begins with. */
export function initial(endpoint?: Endpoint): Entered {
  return {
    kind: endpoint?.kind ?? "webhook",
    mode: endpoint?.mode ?? "push",
    url: endpoint?.url ?? "",
    description: endpoint?.description ?? "",
    environment: endpoint?.environment_id ?? "",
    application: endpoint?.application_id ?? "",
    rate: endpoint?.rate_per_s ? String(endpoint.rate_per_s) : "",
    headers: Object.entries(endpoint?.headers ?? {}).map(([name, value], key) => ({ key, name, value })),
    username: endpoint?.auth_username ?? "",
    password: "",
  };
}

/** Return the body that creates the endpoint. */
export function creation(entered: Entered): Schemas["NewEndpoint"] {
  return {
    kind: entered.kind,
    mode: entered.mode,
    description: entered.description.trim(),
    headers: headersOf(entered),
    auth_username: entered.username.trim(),
    auth_password: entered.password,
    rate_per_s: rateOf(entered),
    ...(entered.mode !== "polled" && { url: entered.url.trim() }),
    ...(entered.environment && { environment_id: entered.environment }),
    ...(entered.application && { application_id: entered.application }),
  };
}

/** Return the body that changes it. A password that is not typed stays. */
export function change(endpoint: Endpoint, entered: Entered): Schemas["EndpointChange"] {
  return {
    mode: entered.mode,
    description: entered.description.trim(),
    headers: headersOf(entered),
    rate_per_s: rateOf(entered),
    ...(entered.mode !== "polled" && entered.url.trim() !== endpoint.url && { url: entered.url.trim() }),
    ...(entered.username.trim() !== endpoint.auth_username && { auth_username: entered.username.trim() }),
    ...((entered.password || !entered.username.trim()) && { auth_password: entered.password }),
  };
}

function headersOf(entered: Entered): Record<string, string> {
  return Object.fromEntries(
    entered.headers.filter((one) => one.name.trim()).map((one) => [one.name.trim(), one.value]),
  );
}

/** A rate that is no number is sent as -1, so that the API says what is expected. */
function rateOf(entered: Entered): number {
  const text = entered.rate.trim();
  return text === "" ? 0 : /^\d+$/.test(text) ? Number(text) : -1;
}
