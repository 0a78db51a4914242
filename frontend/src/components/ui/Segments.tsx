/** One of a few, all in sight: radio buttons that look like a switch. */
import { useId } from "react";

export interface SegmentOption<T extends string> {
  value: T;
  label: string;
  disabled?: boolean;
  hint?: string | undefined;
}

interface SegmentsProps<T extends string> {
  label: string;
  value: T;
  options: readonly SegmentOption<T>[];
  onChange: (value: T) => void;
  className?: string;
}

export function Segments<T extends string>({
  label,
  value,
  options,
  onChange,
  className = "",
}: SegmentsProps<T>) {
  const name = useId();
  return (
    <fieldset className={`flex rounded-sm border hairline bg-ground p-0.5 ${className}`}>
      <legend className="sr-only">{label}</legend>
      {options.map((option) => (
        <label
          key={option.value}
          title={option.hint}
          className="relative flex h-8 flex-1 cursor-pointer items-center justify-center rounded-[6px] px-2 text-sm whitespace-nowrap sm:px-3 text-muted transition-colors duration-150 hover:text-ink has-checked:bg-high has-checked:text-ink forced-colors:has-checked:bg-[Highlight] forced-colors:has-checked:text-[HighlightText] forced-colors:has-checked:forced-color-adjust-none has-disabled:cursor-not-allowed has-disabled:opacity-50 has-focus-visible:outline-2 has-focus-visible:outline-offset-1 has-focus-visible:outline-you"
        >
          <input
            type="radio"
            name={name}
            value={option.value}
            checked={option.value === value}
            disabled={option.disabled ?? false}
            onChange={() => onChange(option.value)}
            className="absolute inset-0 cursor-[inherit] opacity-0"
          />
          {option.label}
        </label>
      ))}
    </fieldset>
  );
}
