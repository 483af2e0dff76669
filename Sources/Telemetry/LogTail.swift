import Formatting

/// The fields at the end of every line of the process, rendered once: `,"instance_id":"…","environment":"prod"`.
public struct LogTail: Sendable {
    /// Two host names and two labels of the maximum length; a line reserves this much room for its tail.
    public static let byteLimit = 1024

    /// The end of every line, without its brace.
    let bytes: [UInt8]
    let names: [String]

    /// - Parameter fields: in order; names must need no escape. A field that would exceed `byteLimit` is omitted.
    public init(_ fields: KeyValuePairs<StaticString, String> = [:]) {
        var bytes: [UInt8] = []
        var names: [String] = []
        for (name, value) in fields {
            names.append(name.description)
            let start = bytes.count
            bytes.append(addingCapacity: LogLine.capacity) { output in
                output.append(memberName: name)
                output.append(logValue: value)
            }
            if bytes.count > Self.byteLimit { bytes.removeLast(bytes.count - start) }
        }
        self.bytes = bytes
        self.names = names
    }
}
