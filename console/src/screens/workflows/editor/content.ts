import { useState } from "react";
import type { Workflow } from "../data";
import { isSame, readDocument, type WorkflowDocument } from "../document";

/** What is edited of a workflow. */
export interface Content {
  name: string;
  description: string;
  event_type: string;
  document: WorkflowDocument;
}

const MOST_UNDONE = 100;

/** Return what is edited of a stored workflow; null: its document has a form that this version does not know. */
export function contentOf(workflow: Workflow): Content | null {
  const document = readDocument(workflow.document);
  const { name, description, event_type } = workflow;
  return document && { name, description, event_type, document };
}

/** Return whether two contents say the same. */
export function isSameContent(one: Content, other: Content): boolean {
  return (
    one.name === other.name &&
    one.description === other.description &&
    one.event_type === other.event_type &&
    isSame(one.document, other.document)
  );
}

interface History {
  content: Content;
  past: readonly Content[];
  /** What the last change was about. */
  about: string;
}

export interface Editing {
  content: Content;
  canUndo: boolean;
  undo: () => void;
  /** Change the content. Changes in a row about the same thing, such as one field, are undone together. */
  change: (change: (content: Content) => Content, about?: string) => void;
  changeDocument: (change: (document: WorkflowDocument) => WorkflowDocument, about?: string) => void;
  /** Begin again with a content that cannot be undone. */
  reset: (content: Content) => void;
}

/** Keep what is edited, and what it was before. */
export function useEditing(start: () => Content): Editing {
  const [history, setHistory] = useState<History>(() => ({ content: start(), past: [], about: "" }));
  const change: Editing["change"] = (make, about = "") =>
    setHistory((known) => {
      const content = make(known.content);
      if (content === known.content) {
        return known;
      }
      const goesOn = about !== "" && about === known.about;
      return {
        content,
        past: goesOn ? known.past : [...known.past.slice(-MOST_UNDONE), known.content],
        about,
      };
    });
  return {
    content: history.content,
    canUndo: history.past.length > 0,
    undo: () =>
      setHistory((known) => {
        const content = known.past.at(-1);
        return content ? { content, past: known.past.slice(0, -1), about: "" } : known;
      }),
    change,
    changeDocument: (make, about) =>
      change((content) => {
        const document = make(content.document);
        return document === content.document ? content : { ...content, document };
      }, about),
    reset: (content) => setHistory({ content, past: [], about: "" }),
  };
}
