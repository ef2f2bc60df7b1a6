import { type RefObject, useEffect, useRef } from "react";

/**
 * Put the focus into the first field of a form that an error is about, and bring it into sight: a screen reader says
 * its label and what is wrong with it. Give the result to the form as its `ref`.
 */
export function useFirstFault(error: Error | null | undefined): RefObject<HTMLFormElement | null> {
  const form = useRef<HTMLFormElement>(null);
  useEffect(() => {
    const field = error ? form.current?.querySelector<HTMLElement>("[aria-invalid=true]") : null;
    if (field) {
      field.scrollIntoView({ block: "center" });
      field.focus({ preventScroll: true });
    }
  }, [error]);
  return form;
}
