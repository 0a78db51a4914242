/** The browser's own select, which every keyboard, screen reader and phone knows how to use. */
import type { SelectHTMLAttributes } from "react";
import { Icon } from "./Icon";

interface SelectProps extends SelectHTMLAttributes<HTMLSelectElement> {
  label: string;
}

export function Select({ label, className = "", children, ...rest }: SelectProps) {
  return (
    <label className={`relative inline-flex items-center ${className}`}>
      <span className="sr-only">{label}</span>
      <select
        className="h-9 w-full appearance-none truncate rounded-sm border hairline bg-raised ps-3 pe-8 text-sm text-ink hover:border-edge"
        {...rest}
      >
        {children}
      </select>
      <Icon name="chevron" className="pointer-events-none absolute end-2 size-4! text-muted" />
    </label>
  );
}
