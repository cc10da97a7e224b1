// Light or dark: the system's choice unless the reader made one.

export type ThemeChoice = "auto" | "light" | "dark";

const KEY = "railbird.theme";
const system = window.matchMedia("(prefers-color-scheme: dark)");

function stored(): ThemeChoice {
  try {
    const value = localStorage.getItem(KEY);
    return value === "light" || value === "dark" ? value : "auto";
  } catch {
    return "auto";
  }
}

class Theme {
  choice = $state<ThemeChoice>(stored());
  private systemDark = $state(system.matches);
  readonly dark = $derived(this.choice === "auto" ? this.systemDark : this.choice === "dark");

  constructor() {
    system.addEventListener("change", (event) => {
      this.systemDark = event.matches;
      this.show();
    });
    this.show();
  }

  set(choice: ThemeChoice): void {
    this.choice = choice;
    try {
      localStorage.setItem(KEY, choice);
    } catch {
      // A browser that keeps nothing still shows the choice until the page is left.
    }
    this.show();
  }

  /** To the next of auto, light, dark. */
  next(): void {
    this.set(this.choice === "auto" ? "light" : this.choice === "light" ? "dark" : "auto");
  }

  private show(): void {
    document.documentElement.dataset["theme"] = this.dark ? "dark" : "light";
  }
}

export const theme = new Theme();

/** Value of a custom property of the page, as in `token("--ink")`. */
export function token(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}
