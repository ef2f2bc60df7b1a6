import type { ReactNode } from "react";
import { LinkButton } from "~/kit/Button";

interface Section {
  title: string;
  text: string;
  link: ReactNode;
}

/** What the page of the settings leads to. */
export const SECTIONS: readonly Section[] = [
  {
    title: "Tenants",
    text: "Names, senders, channels, limits, API keys, secrets, retention and environments, tenant by tenant.",
    link: <LinkButton to="/tenants">Open tenants</LinkButton>,
  },
  {
    title: "Users",
    text: "Who signs in to this console, with which role where. Invitations, and sessions that others have open.",
    link: <LinkButton to="/settings/users">Open users</LinkButton>,
  },
  {
    title: "Your sessions",
    text: "Where you are signed in, and your password.",
    link: <LinkButton to="/settings/sessions">Open your sessions</LinkButton>,
  },
  {
    title: "Audit log",
    text: "Who changed what, and when, with the result.",
    link: <LinkButton to="/settings/audit">Open the audit log</LinkButton>,
  },
  {
    title: "Alerts",
    text: "Who gets an alert when a provider or an endpoint fails or recovers, and what is down now.",
    link: <LinkButton to="/settings/alerts">Open alerts</LinkButton>,
  },
];
