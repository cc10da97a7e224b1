// Types of what Vite adds to imports: style sheets and workers.
/// <reference types="vite/client" />
