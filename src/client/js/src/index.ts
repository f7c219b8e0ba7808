export { Client } from "./client.js";
export type { ClientOptions, Off, RequestOptions } from "./client.js";
export { codes, GameError } from "./error.js";
export type { Code } from "./error.js";
export type { WebSocketClass, WebSocketLike } from "./link.js";
export { gateways, guest, login, register } from "./login.js";
export type { Gateway, Login } from "./login.js";
export type { ProtocolOptions } from "./protocol.js";
export type { ReconnectOptions } from "./reconnect.js";
export {
    binary, boolean, decode, encode, f32, f64, i16, i32, i64, i8, list, map, optional, push, request, struct, text, u16, u32,
    u64, u8,
} from "./schema.js";
export type { Codec, Field, Push, Request, Struct } from "./schema.js";
export type { Close, Queued } from "./wire.js";
