// The errors of the protocol: a code to branch on, a message for a person.

/** By number, as they stand on the wire (docs/protocol.md, Errors). */
export const codes = [
    "ok", "invalid", "unauthenticated", "forbidden", "not_found", "conflict", "limited", "busy", "unavailable",
    "deadline", "internal", "fenced", "unknown_command",
    "outdated",
] as const;
export type Code = typeof codes[number];

/** Codes that a newer server has added are treated as `internal`. */
export function codeOf(number: number): Code {
    return codes[number] ?? "internal";
}

/** Everything that this kit throws, or rejects with. */
export class GameError extends Error {
    constructor(readonly code: Code, message: string) {
        super(message);
        this.name = "GameError";
    }
}
