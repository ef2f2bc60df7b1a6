import { Link } from "@tanstack/react-router";
import styles from "./Endpoints.module.css";

/** Leads between the lists that belong to webhooks. */
export function Sections() {
  return (
    <nav className={styles.sections} aria-label="Webhooks">
      <Link to="/endpoints" activeOptions={{ exact: true, includeSearch: false }}>
        Endpoints
      </Link>
      <Link to="/endpoints/event-types">Event types</Link>
      <Link to="/endpoints/applications">Applications</Link>
    </nav>
  );
}
