import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Problem } from "~/api/problem";
import { notify } from "~/kit/Toast";
import type { Template } from "../data";
import type { Content, Place } from "./draft";
import { saveVersion } from "./save";

interface Options {
  activate: boolean;
  /** Save although somebody has saved a newer version. */
  force?: boolean;
}

/** Saving a version, and what came of it. */
export interface Saving {
  isBusy: boolean;
  /** Why the content as it is was not saved. */
  error: Error | null;
  /** The version that somebody has saved meanwhile. */
  conflict: { id: string; version: number } | null;
  /** Whether the version of the conflict was to be activated. */
  wasActivating: boolean;
  dismiss: () => void;
  /** Return the version; null: it was not saved, and `error` or `conflict` says why. */
  save: (options: Options) => Promise<Template | null>;
}

/** Save versions of a template. basedOn: see the API; null: there was no version. */
export function useSaving(
  place: Place,
  content: Content,
  basedOn: string | null,
  onSaved: (made: Template) => void,
): Saving {
  const [isBusy, setBusy] = useState(false);
  const [failed, setFailed] = useState<{ error: Error; content: Content } | null>(null);
  const [conflict, setConflict] = useState<Saving["conflict"]>(null);
  const [wasActivating, setActivating] = useState(false);
  const queries = useQueryClient();
  const save: Saving["save"] = async ({ activate, force = false }) => {
    if (isBusy) {
      return null;
    }
    setBusy(true);
    setFailed(null);
    setActivating(activate);
    try {
      const made = await saveVersion(place, content, { basedOn, activate, force });
      setConflict(null);
      void queries.invalidateQueries({ queryKey: ["templates"] });
      notify(`Saved as version ${made.version}${made.active ? ", which is active now" : ""}.`);
      onSaved(made);
      return made;
    } catch (problem) {
      if (problem instanceof Problem && problem.newer !== undefined) {
        setConflict(problem.newer);
      } else {
        setFailed({ error: problem instanceof Error ? problem : new Error(String(problem)), content });
      }
      return null;
    } finally {
      setBusy(false);
    }
  };
  // What was wrong with a content says nothing about the next one.
  const error = failed?.content === content ? failed.error : null;
  return { isBusy, error, conflict, wasActivating, dismiss: () => setConflict(null), save };
}
