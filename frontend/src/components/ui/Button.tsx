import type { ButtonHTMLAttributes } from "react";

const LOOKS = {
  /** The one thing to do here. */
  primary:
    "border border-transparent bg-you text-ground font-semibold hover:bg-[#7cecff] disabled:bg-high disabled:text-muted",
  plain: "border border-edge text-ink hover:bg-high disabled:text-muted",
  quiet: "border border-transparent text-muted hover:text-ink hover:bg-high disabled:text-muted",
} as const;

const SIZES = { small: "h-8 px-3 text-sm", normal: "h-11 px-4 text-sm" } as const;

interface ButtonProps extends ButtonHTMLAttributes<HTMLButtonElement> {
  look?: keyof typeof LOOKS;
  size?: keyof typeof SIZES;
}

export function buttonClass(
  look: keyof typeof LOOKS = "plain",
  size: keyof typeof SIZES = "normal",
): string {
  return `inline-flex items-center justify-center gap-2 rounded-sm whitespace-nowrap transition-colors duration-150 disabled:cursor-not-allowed ${SIZES[size]} ${LOOKS[look]}`;
}

export function Button({
  look = "plain",
  size = "normal",
  className = "",
  type = "button",
  ...rest
}: ButtonProps) {
  return <button type={type} className={`${buttonClass(look, size)} ${className}`} {...rest} />;
}
