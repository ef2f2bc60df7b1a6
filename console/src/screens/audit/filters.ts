export const METHODS = ["POST", "PUT", "PATCH", "DELETE"] as const;

/** The filters of the audit log. since, until: days. */
export interface AuditFilters {
  actor?: string | undefined;
  resource?: string | undefined;
  method?: (typeof METHODS)[number] | undefined;
  since?: string | undefined;
  until?: string | undefined;
}
