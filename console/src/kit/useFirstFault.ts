import { type RefObject, useEffect, useRef } from "react";

/**
 * When a form was refused, put the focus into the first field that is wrong, and bring it into sight: a screen reader
 * says its label and what is wrong with it. Give the result to the form as its `ref`.
 */
export function useFirstFault(error: Error | null, isBusy: boolean): RefObject<HTMLFormElement | null> {
  const form = useRef<HTMLFormElement>(null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: another error is another refusal
  useEffect(() => {
    // An error may stand at its field alone, so it is the end of the call that counts.
    const field = isBusy ? null : form.current?.querySelector<HTMLElement>("[aria-invalid=true]");
    if (field) {
      field.scrollIntoView({ block: "center" });
      field.focus({ preventScroll: true });
    }
  }, [error, isBusy]);
  return form;
}
