import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { FormDialog } from "~/kit/Dialog";
import { SelectField, TextField } from "~/kit/Field";
import { languageName, type Template } from "./data";

interface AddLanguageProps {
  isOpen: boolean;
  onClose: () => void;
  /** Of each language the version to copy. */
  languages: readonly { locale: string | null; version: Template }[];
}

/** Begins a template's version in another language with a copy of one that there is. */
export function AddLanguage({ isOpen, onClose, languages }: AddLanguageProps) {
  const navigate = useNavigate();
  const [locale, setLocale] = useState("");
  const [from, setFrom] = useState("");
  const source = languages.find((one) => one.version.id === from) ?? languages[0];
  const tag = locale.trim();
  const isTaken = languages.some((one) => (one.locale ?? "").toLowerCase() === tag.toLowerCase());
  return (
    <FormDialog
      isOpen={isOpen}
      onClose={onClose}
      title="Add a language"
      text="The editor opens with a copy to translate. Nothing is sent in this language until you activate a version."
      action="Open the editor"
      isDisabled={tag === "" || isTaken || source === undefined}
      onSubmit={() => {
        if (source) {
          void navigate({ to: "/templates/new", search: { from: source.version.id, locale: tag } });
        }
      }}
    >
      <TextField
        label="Language"
        help="A language, if need be with its region: pt, pt-BR, zh-Hant-TW"
        error={tag !== "" && isTaken ? "This language is there already" : undefined}
        value={locale}
        spellCheck={false}
        onChange={(event) => setLocale(event.target.value)}
      />
      <SelectField
        label="Begin with a copy of"
        value={source?.version.id ?? ""}
        onChange={(event) => setFrom(event.target.value)}
      >
        {languages.map((one) => (
          <option key={one.version.id} value={one.version.id}>
            {languageName(one.locale)}, version {one.version.version}
          </option>
        ))}
      </SelectField>
    </FormDialog>
  );
}
