/** A labelled input with its hint and its error, tied together for those who listen. */
import type { InputHTMLAttributes } from "react";
import { useId } from "react";

interface FieldProps extends InputHTMLAttributes<HTMLInputElement> {
  label: string;
  hint?: string | undefined;
  error?: string | undefined;
}

export const inputClass =
  "h-11 w-full rounded-sm border border-edge bg-ground px-3 text-base text-ink placeholder:text-muted transition-colors duration-150 hover:border-muted aria-invalid:border-down focus-visible:outline-offset-0";

export function Field({ label, hint, error, className = "", ...input }: FieldProps) {
  const id = useId();
  const says = error ?? hint;
  return (
    <div className={className}>
      <label htmlFor={id} className="mb-1 block text-sm text-muted">
        {label}
      </label>
      <input
        id={id}
        className={inputClass}
        aria-invalid={error !== undefined}
        aria-describedby={says === undefined ? undefined : `${id}-says`}
        {...input}
      />
      <p
        id={`${id}-says`}
        className={`mt-0.5 min-h-4 text-xs ${error === undefined ? "text-muted" : "text-down"}`}
      >
        {says}
      </p>
    </div>
  );
}
