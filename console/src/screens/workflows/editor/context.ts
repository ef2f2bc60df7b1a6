import { createContext, useContext } from "react";
import type { DryStep } from "../data";
import type { Place, Step, StepKind, WorkflowDocument } from "../document";
import type { Names } from "../words";

/** What is wrong with a step. field: within the step, such as "template.key"; empty: the step as a whole. */
export interface StepFault {
  field: string;
  detail: string;
}

/** What the steps of an editor share. */
export interface EditorState {
  tenantId: string;
  document: WorkflowDocument;
  mayChange: boolean;
  names: Names;
  /** By the ids of the steps. */
  faults: ReadonlyMap<string, readonly StepFault[]>;
  /** What the newest dry run says of each step, by its id; empty: there is none. */
  outcomes: ReadonlyMap<string, DryStep>;
  /** The step whose fields are shown. */
  openId: string | null;
  /** The step that was put in just now: its first field gets the focus. */
  addedId: string | null;
  /** The step that is dragged, and where it would go. */
  draggedId: string | null;
  target: Place | null;
  open: (id: string | null) => void;
  add: (place: Place, kind: StepKind) => void;
  update: (id: string, change: (step: Step) => Step, about: string) => void;
  /** Move a step one place up or down, into and out of other steps. */
  step: (id: string, direction: -1 | 1) => void;
  duplicate: (id: string) => void;
  remove: (id: string) => void;
  setDragged: (id: string | null) => void;
}

export const EditorContext = createContext<EditorState | null>(null);

/** Return what the steps of the editor around share. */
export function useEditor(): EditorState {
  const found = useContext(EditorContext);
  if (found === null) {
    throw new Error("There is no editor around this.");
  }
  return found;
}
