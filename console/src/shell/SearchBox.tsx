import { useNavigate } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import { TextField } from "~/kit/Field";

/** Finds an event by its id. */
export function SearchBox() {
  const navigate = useNavigate();
  const [typed, setTyped] = useState("");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (typed.trim()) {
      void navigate({ to: "/messages/$eventId", params: { eventId: typed.trim() } });
    }
  };
  return (
    <search>
      <form onSubmit={submit}>
        <TextField
          label="Search by id"
          isLabelHidden
          type="search"
          placeholder="Search by id"
          value={typed}
          onChange={(event) => setTyped(event.target.value)}
        />
      </form>
    </search>
  );
}
