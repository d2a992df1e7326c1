/**
 * What Node has of https://webassembly.github.io/spec/js-api/, as far as it is used here: TypeScript
 * declares it only together with a browser's document.
 */
declare namespace WebAssembly {
  /** What a module asks for by name; functions take and return numbers. */
  type Imports = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

  /** Posted to a thread, it is not compiled again. */
  class Module {
    /** @throws CompileError */
    constructor(bytes: Uint8Array);
    readonly [Symbol.toStringTag]: string;
    static exports(module: Module): { readonly name: string; readonly kind: string }[];
    static imports(module: Module): { readonly module: string; readonly name: string }[];
  }

  class Instance {
    /** @throws LinkError, where `imports` lacks something. */
    constructor(module: Module, imports: Imports);
    readonly exports: Readonly<Record<string, unknown>>;
  }

  class Memory {
    /** @throws RangeError, where there are not enough addresses. Both sizes in pages of 64 KiB. */
    constructor(size: { initial: number; maximum: number; shared: true });
    /** After each `grow`, in any thread, another one on the same bytes. */
    readonly buffer: SharedArrayBuffer;
    /** @throws RangeError */
    grow(pages: number): number;
  }

  class Global {
    readonly value: unknown;
  }

  class CompileError extends Error {}
  class LinkError extends Error {}
}
