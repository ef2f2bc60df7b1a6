import { useState } from "react";
import { FormDialog } from "~/kit/Dialog";
import { TextField } from "~/kit/Field";

const PACE = 50;
const FASTEST = 1000;

interface PaceDialogProps {
  isOpen: boolean;
  onClose: () => void;
  title: string;
  text: string;
  /** What is sent, such as "Messages". */
  what: string;
  onSubmit: (perSecond: number) => void;
  isBusy: boolean;
  error: Error | null;
}

/** Ask before many are sent again in the background, and how fast. */
export function PaceDialog({ what, onSubmit, ...dialog }: PaceDialogProps) {
  const [pace, setPace] = useState(String(PACE));
  return (
    <FormDialog {...dialog} action="Send them again" onSubmit={() => onSubmit(Number(pace))}>
      <TextField
        label={`${what} a second`}
        help="Slower spares a provider that has just recovered."
        type="number"
        min={1}
        max={FASTEST}
        step={1}
        required
        value={pace}
        onChange={(event) => setPace(event.target.value)}
      />
    </FormDialog>
  );
}
