import { type QueryClient, queryOptions } from "@tanstack/react-query";
import { answer, api, type Schemas } from "~/api/client";

export type User = Schemas["User"];
export type Membership = Schemas["NewMembership"];
export type Invitation = Schemas["Invitation"];

/** One console user. */
export function userQuery(id: string) {
  return queryOptions({
    queryKey: ["users", id],
    queryFn: ({ signal }) =>
      answer(api.GET("/api/v1/admin/users/{id}", { params: { path: { id } }, signal })),
  });
}

/** Keep what a response says of a user, and read the lists again. */
export function keepUser(queries: QueryClient, user: User): void {
  queries.setQueryData(userQuery(user.id).queryKey, user);
  void queries.invalidateQueries({ queryKey: ["users", "list"] });
}

/** What a user is called on the screens. */
export function nameOf(user: User): string {
  return user.name || user.email;
}
