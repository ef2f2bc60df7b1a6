import { useQuery } from "@tanstack/react-query";
import { useId, useState } from "react";
import { Button } from "~/kit/Button";
import { DurationField } from "~/kit/DurationField";
import { TextField } from "~/kit/Field";
import { FieldRow } from "~/kit/Form";
import { Card } from "~/kit/Page";
import { SegmentChoice } from "~/screens/segments/SegmentChoice";
import { eventTypesQuery } from "../data";
import type { Filters } from "../document";
import { filterWords, type Names } from "../words";
import type { Editing } from "./content";
import styles from "./StepList.module.css";

interface StartCardProps {
  tenantId: string;
  editing: Editing;
  mayChange: boolean;
  names: Names;
  isNew: boolean;
  /** What is wrong with a field of the workflow or of its document, by the field's name. */
  error: (field: string) => string | undefined;
}

/** What starts a workflow and for whom: in sentences, and in fields when they are open. */
export function StartCard({ tenantId, editing, mayChange, names, isNew, error }: StartCardProps) {
  const [isOpen, setOpen] = useState(isNew);
  const { content } = editing;
  const filters = filterWords(content.document.filters, names);
  return (
    <Card
      title="When it starts"
      actions={
        mayChange && !isNew ? (
          <Button size="small" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
            {isOpen ? "Done" : "Edit"}
            <span className="unseen"> when it starts</span>
          </Button>
        ) : null
      }
    >
      {isOpen ? (
        <StartFields tenantId={tenantId} editing={editing} error={error} />
      ) : (
        <>
          <p>
            Each event of the type <strong dir="auto">{content.event_type}</strong> starts it, for each person
            whom the event is for.
          </p>
          {filters.length > 0 ? (
            <ul className={styles.plain}>
              {filters.map((one) => (
                <li key={one}>{one}.</li>
              ))}
            </ul>
          ) : null}
          {content.document.category ? (
            <p>
              People can opt out of its category, <bdi>{content.document.category}</bdi>.
            </p>
          ) : null}
          {content.description ? <p className={styles.soft}>{content.description}</p> : null}
        </>
      )}
    </Card>
  );
}

function StartFields({ tenantId, editing, error }: Pick<StartCardProps, "tenantId" | "editing" | "error">) {
  const { content, change, changeDocument } = editing;
  const types = useQuery(eventTypesQuery(tenantId)).data ?? [];
  const list = useId();
  const filters = content.document.filters ?? {};
  const [tags, setTags] = useState(() => (filters.tags ?? []).join(", "));
  const setFilters = (next: { [K in keyof Filters]: Filters[K] | undefined }, about: string) =>
    changeDocument(
      (document) => ({ ...document, filters: { ...document.filters, ...next } as Filters }),
      about,
    );
  const set = (next: Partial<typeof content>, about: string) =>
    change((known) => ({ ...known, ...next }), about);
  return (
    <>
      <FieldRow>
        <TextField
          label="Name"
          value={content.name}
          maxLength={100}
          autoComplete="off"
          onChange={(event) => set({ name: event.target.value }, "name")}
          error={error("name")}
        />
        <TextField
          label="Event type"
          help="The name that your program sends."
          value={content.event_type}
          maxLength={255}
          list={list}
          autoComplete="off"
          spellCheck={false}
          onChange={(event) => set({ event_type: event.target.value }, "event_type")}
          error={error("event_type")}
        />
        <datalist id={list}>
          {types.map((one) => (
            <option key={one} value={one} />
          ))}
        </datalist>
      </FieldRow>
      <TextField
        label="Description"
        isOptional
        value={content.description}
        maxLength={1000}
        autoComplete="off"
        onChange={(event) => set({ description: event.target.value }, "description")}
        error={error("description")}
      />
      <FieldRow>
        <TextField
          label="Only people with these tags"
          isOptional
          help="With commas between them; all of them are needed."
          value={tags}
          autoComplete="off"
          onChange={(event) => {
            setTags(event.target.value);
            const found = event.target.value.split(",").map((one) => one.trim());
            const named = [...new Set(found.filter(Boolean))];
            setFilters({ tags: named.length > 0 ? named : undefined }, "tags");
          }}
          error={error("filters.tags")}
        />
        <SegmentChoice
          tenantId={tenantId}
          label="Only people in this segment"
          nobody="Everybody"
          value={filters.segment_id ?? ""}
          onChange={(segment) => setFilters({ segment_id: segment || undefined }, "")}
          error={error("filters.segment_id")}
        />
      </FieldRow>
      <FieldRow>
        <DurationField
          label="At most once in"
          isOptional
          help="For each person. Empty: each event starts it."
          seconds={filters.cooldown_s ?? 0}
          onChange={(seconds) => setFilters({ cooldown_s: seconds || undefined }, "cooldown_s")}
          error={error("filters.cooldown_s")}
        />
        <TextField
          label="Category"
          isOptional
          help="What people can opt out of, on each channel."
          value={content.document.category ?? ""}
          maxLength={64}
          autoComplete="off"
          spellCheck={false}
          onChange={(event) => {
            const { category: _, ...rest } = content.document;
            const category = event.target.value;
            changeDocument(() => (category ? { ...rest, category } : rest), "category");
          }}
          error={error("category")}
        />
      </FieldRow>
    </>
  );
}
