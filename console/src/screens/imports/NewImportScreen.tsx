import { useMutation, useQueryClient } from "@tanstack/react-query";
import { createLazyRoute, useNavigate } from "@tanstack/react-router";
import Papa from "papaparse";
import { type ChangeEvent, useEffect, useRef, useState } from "react";
import { answer, api } from "~/api/client";
import { upload } from "~/api/files";
import { may, useSession } from "~/api/session";
import { Bytes } from "~/kit/Bytes";
import { ErrorNote } from "~/kit/ErrorNote";
import { CheckField, Field, SelectField, TextField } from "~/kit/Field";
import { FieldGroup, Form } from "~/kit/Form";
import { Progress } from "~/kit/Meter";
import { Card, Page } from "~/kit/Page";
import { Table } from "~/kit/Table";
import { TenantNeeded } from "~/shell/TenantNeeded";
import { useTenant, useTenantId } from "~/shell/tenants";
import {
  COLUMN_WORDS,
  COLUMNS,
  faultOf,
  guessed,
  OWN,
  type OwnType,
  ownField,
  ownMeaning,
  TYPES,
} from "./columns";
import styles from "./Imports.module.css";

export const lazyRoute = createLazyRoute("/frame/imports/new")({ component: NewImportScreen });

const MOST_BYTES = 64 * 1024 * 1024;
// Of the file's beginning, for its headers and some rows to look at.
const BEGINNING = 64 * 1024;
const ROWS_SHOWN = 3;

interface Chosen {
  file: File;
  headers: string[];
  rows: string[][];
}

function NewImportScreen() {
  const tenantId = useTenantId();
  const mayImport = may(useSession(), "operator", useTenant());
  return (
    <Page
      title="Import people"
      text="From a CSV file of at most 64 MiB, with a line of headers. Who is stored already is changed; an empty cell changes nothing."
    >
      {tenantId === undefined ? (
        <TenantNeeded what="recipients" />
      ) : mayImport ? (
        <NewImport key={tenantId} tenantId={tenantId} />
      ) : (
        <p>Your role may not import people. An operator of this tenant can.</p>
      )}
    </Page>
  );
}

function NewImport({ tenantId }: { tenantId: string }) {
  const [chosen, setChosen] = useState<Chosen | null>(null);
  const [error, setError] = useState<Error | null>(null);
  const choose = async (event: ChangeEvent<HTMLInputElement>) => {
    const file = event.target.files?.[0];
    setChosen(null);
    setError(null);
    if (file) {
      try {
        setChosen(await opened(file));
      } catch (wrong) {
        setError(wrong instanceof Error ? wrong : new Error(String(wrong)));
      }
    }
  };
  return (
    <>
      <Card title="Which file">
        <Field
          label="CSV file"
          help="In UTF-8; its columns may be separated by commas, semicolons, tabs or bars."
        >
          {(marks) => (
            <input
              {...marks}
              type="file"
              accept=".csv,.tsv,.txt,text/csv"
              onChange={(event) => void choose(event)}
            />
          )}
        </Field>
        {error ? <ErrorNote error={error} /> : null}
      </Card>
      {chosen ? (
        <Columns key={`${chosen.file.name}/${chosen.file.size}`} tenantId={tenantId} chosen={chosen} />
      ) : null}
    </>
  );
}

/** Read the beginning of a file. Throws an Error that says what is wrong with it. */
async function opened(file: File): Promise<Chosen> {
  if (file.size > MOST_BYTES) {
    throw new Error("The file has more than 64 MiB. Split it into several.");
  }
  const bytes = await file.slice(0, BEGINNING).arrayBuffer();
  let text: string;
  try {
    // A letter may be cut at the end, which streaming leaves out.
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes, { stream: true });
  } catch {
    throw new Error("The file is not in UTF-8. Save it as “CSV UTF-8”, as spreadsheets call it.");
  }
  const { data } = Papa.parse<string[]>(text, {
    preview: ROWS_SHOWN + 1,
    skipEmptyLines: true,
    delimitersToGuess: [",", ";", "\t", "|"],
  });
  const [first = [], ...rows] = data;
  // Of two columns with one header neither can be named.
  const headers = [...new Set(first.map((one) => one.trim()))];
  if (!headers.some(Boolean)) {
    throw new Error("The file has no line of headers.");
  }
  return {
    file,
    headers,
    rows: rows.map((row) => headers.map((one) => row[first.findIndex((cell) => cell.trim() === one)] ?? "")),
  };
}

function Columns({ tenantId, chosen }: { tenantId: string; chosen: Chosen }) {
  const { file, headers, rows } = chosen;
  const queries = useQueryClient();
  const navigate = useNavigate();
  const [columns, setColumns] = useState(() => guessed(headers));
  const [tags, setTags] = useState("");
  const [isUnique, setUnique] = useState(true);
  const [sent, setSent] = useState(0);
  const stop = useRef(new AbortController());
  useEffect(() => {
    stop.current = new AbortController();
    return () => stop.current.abort();
  }, []);
  const wrong = faultOf(columns);
  const start = useMutation({
    mutationFn: async () => {
      const made = await answer(
        api.POST("/api/v1/admin/tenants/{id}/imports", {
          params: { path: { id: tenantId } },
          body: {
            file_name: file.name.slice(0, 255),
            columns: Object.fromEntries(Object.entries(columns).filter(([, meaning]) => meaning)),
            tags: tags
              .split(",")
              .map((one) => one.trim())
              .filter(Boolean),
            unique_email: isUnique,
          },
        }),
      );
      const path = `/api/v1/admin/tenants/${tenantId}/imports/${made.id}/file`;
      // The browser takes the type of a file from its name.
      await upload("PUT", path, new Blob([file], { type: "text/csv" }), {
        onProgress: setSent,
        signal: stop.current.signal,
      });
      return made;
    },
    onSuccess: (made) => {
      void queries.invalidateQueries({ queryKey: ["imports", tenantId] });
      void navigate({ to: "/imports/$importId", params: { importId: made.id } });
    },
    onSettled: () => setSent(0),
  });
  return (
    <Card title="What is in it">
      <Form
        onSubmit={() => start.mutate()}
        action={`Import ${file.name}`}
        isBusy={start.isPending}
        isDisabled={wrong !== ""}
        error={start.error}
      >
        <FieldGroup legend="What each column is" help="What is left out is not stored.">
          <ul className={styles.columns}>
            {headers.map((header) => (
              <li key={header}>
                <Column
                  header={header}
                  meaning={columns[header] ?? ""}
                  onChange={(meaning) => setColumns({ ...columns, [header]: meaning })}
                />
              </li>
            ))}
          </ul>
        </FieldGroup>
        <p className={styles.bad} role="status">
          {wrong}
        </p>
        {rows.length > 0 ? (
          <Table
            caption="The first rows of the file"
            rows={rows}
            rowKey={(row) => String(rows.indexOf(row))}
            columns={headers.map((header, place) => ({
              header,
              cell: (row: string[]) => <bdi>{row[place]}</bdi>,
            }))}
          />
        ) : null}
        <TextField
          label="Tags for everybody in it"
          isOptional
          help="With commas between them. They are added to those that people have."
          value={tags}
          autoComplete="off"
          onChange={(event) => setTags(event.target.value)}
        />
        <CheckField
          label="Find people by their e-mail address, too"
          help="A row with a stored person's address changes that person. Without this, only the id does."
          checked={isUnique}
          onChange={(event) => setUnique(event.target.checked)}
        />
        {start.isPending ? (
          <div>
            <Progress label="Sent" done={sent} total={file.size} />
            <p>
              <Bytes count={sent} /> of <Bytes count={file.size} /> sent. Leave this page open until all of it
              is.
            </p>
          </div>
        ) : null}
      </Form>
    </Card>
  );
}

function Column({
  header,
  meaning,
  onChange,
}: {
  header: string;
  meaning: string;
  onChange: (meaning: string) => void;
}) {
  const own = ownField(meaning);
  return (
    <div className={styles.column}>
      <SelectField
        label={header}
        value={own ? OWN : meaning}
        onChange={(event) =>
          onChange(event.target.value === OWN ? ownMeaning(nameOf(header), "text") : event.target.value)
        }
      >
        <option value="">Left out</option>
        {COLUMNS.map((one) => (
          <option key={one} value={one}>
            {COLUMN_WORDS[one]}
          </option>
        ))}
        <option value={OWN}>A field of your own</option>
      </SelectField>
      {own ? (
        <>
          <TextField
            label={`Name of the field for ${header}`}
            isLabelHidden
            value={own.name}
            autoComplete="off"
            spellCheck={false}
            onChange={(event) => onChange(ownMeaning(event.target.value, own.type))}
          />
          <SelectField
            label={`Type of the field for ${header}`}
            isLabelHidden
            value={own.type}
            onChange={(event) => onChange(ownMeaning(own.name, event.target.value as OwnType))}
          >
            {TYPES.map((one) => (
              <option key={one} value={one}>
                {one}
              </option>
            ))}
          </SelectField>
        </>
      ) : null}
    </div>
  );
}

/** Return a name for a field, made of a header. */
function nameOf(header: string): string {
  return header
    .trim()
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}]+/gu, "_")
    .replaceAll(/^_|_$/g, "");
}
