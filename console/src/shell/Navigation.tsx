import { Link, type LinkProps } from "@tanstack/react-router";
import {
  BadgeAlert,
  Ban,
  Building2,
  CalendarClock,
  ChartNoAxesCombined,
  FileCode2,
  type LucideIcon,
  MailX,
  MessagesSquare,
  Send,
  ServerCog,
  Settings,
  Users,
  UsersRound,
  Webhook,
  Workflow,
  Zap,
} from "lucide-react";

interface Entry {
  to: NonNullable<LinkProps["to"]>;
  label: string;
  icon: LucideIcon;
}

const GROUPS: readonly { title: string; entries: readonly Entry[] }[] = [
  {
    title: "What happened",
    entries: [
      { to: "/messages", label: "Messages", icon: MessagesSquare },
      { to: "/triggers", label: "Triggers", icon: Zap },
      { to: "/overview", label: "Overview", icon: ChartNoAxesCombined },
      { to: "/dead-letters", label: "Dead letters", icon: MailX },
      { to: "/refused", label: "Refused requests", icon: BadgeAlert },
    ],
  },
  {
    title: "What is sent",
    entries: [
      { to: "/workflows", label: "Workflows", icon: Workflow },
      { to: "/templates", label: "Templates", icon: FileCode2 },
      { to: "/schedules", label: "Schedules", icon: CalendarClock },
      { to: "/test-send", label: "Test send", icon: Send },
    ],
  },
  {
    title: "How it is sent",
    entries: [
      { to: "/providers", label: "Providers", icon: ServerCog },
      { to: "/endpoints", label: "Endpoints", icon: Webhook },
    ],
  },
  {
    title: "To whom",
    entries: [
      { to: "/recipients", label: "Recipients", icon: Users },
      { to: "/segments", label: "Segments", icon: UsersRound },
      { to: "/suppressions", label: "Suppressions", icon: Ban },
    ],
  },
  {
    title: "This installation",
    entries: [
      { to: "/tenants", label: "Tenants", icon: Building2 },
      { to: "/settings", label: "Settings", icon: Settings },
    ],
  },
];

/** The links to all screens; the frame makes them a landmark. */
export function Navigation({ className }: { className?: string | undefined }) {
  return (
    <div className={className}>
      {GROUPS.map((group) => (
        <div key={group.title}>
          <h2>{group.title}</h2>
          <ul>
            {group.entries.map(({ to, label, icon: Icon }) => (
              <li key={label}>
                <Link to={to}>
                  <Icon aria-hidden />
                  {label}
                </Link>
              </li>
            ))}
          </ul>
        </div>
      ))}
    </div>
  );
}
