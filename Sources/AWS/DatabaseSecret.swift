import FoundationEssentials

/// A database secret in the format of Secrets Manager's rotation functions ("JSON structure of AWS Secrets Manager
/// database credential secrets"). A field that is missing, null or empty is nil.
///
/// User and password are one value, so a rotation is seen completely or not at all.
public struct DatabaseSecret: Sendable, Equatable {
    /// Nil: use the configured user. Never set without a password.
    public let username: String?
    public let password: Redacted?
    public let host: String?
    public let port: UInt16?
    public let dbname: String?
    /// The names of the fields above that are not nil, sorted.
    public let fields: [String]
    /// The names of all other fields of the secret, sorted.
    public let otherFields: [String]

    /// Why a secret cannot be used. Never contains a value.
    public enum Problem: Error, Equatable, Sendable {
        /// Binary, or not a JSON object of texts and numbers.
        case noJSONObject
        /// None of the known fields exists.
        case noField
        case noText(field: String)
        case badPort
        /// A zero byte, which would end the text in libpq.
        case zeroByte(field: String)
        /// A user without a password; the password would come from another place.
        case noPassword
    }

    /// - Parameter json: the `SecretString`.
    public init(_ json: String) throws(Problem) {
        guard let values = try? JSONDecoder().decode([String: Value].self, from: Data(json.utf8)) else {
            throw .noJSONObject
        }
        func text(_ name: String) throws(Problem) -> String? {
            switch values[name] {
            case nil, .null: return nil
            case .text(let text):
                guard !text.utf8.contains(0) else { throw .zeroByte(field: name) }
                return text.isEmpty ? nil : text
            case .number, .other: throw .noText(field: name)
            }
        }
        username = try text("username")
        password = try text("password").map(Redacted.init)
        host = try text("host")
        dbname = try text("dbname")
        port = try Self.port(values["port"])
        let known: [(String, Bool)] = [
            ("dbname", dbname != nil), ("host", host != nil), ("password", password != nil), ("port", port != nil),
            ("username", username != nil),
        ]
        fields = known.filter(\.1).map(\.0)
        otherFields = values.keys.filter { name in !known.contains { $0.0 == name } }.map(printable).sorted()
        guard !fields.isEmpty else { throw .noField }
        guard username == nil || password != nil else { throw .noPassword }
    }

    /// A number, or a text of its digits.
    private static func port(_ value: Value?) throws(Problem) -> UInt16? {
        let port: UInt16?
        switch value {
        case nil, .null, .text(""): return nil
        case .number(let number): port = UInt16(exactly: number)
        // `UInt16("+5")` is 5.
        case .text(let text): port = text.utf8.allSatisfy { 0x30...0x39 ~= $0 } ? UInt16(text) : nil
        case .other: port = nil
        }
        guard let port, port > 0 else { throw .badPort }
        return port
    }

    private enum Value: Decodable {
        case text(String)
        case number(Double)
        case null, other

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if container.decodeNil() {
                self = .null
            } else if let text = try? container.decode(String.self) {
                self = .text(text)
            } else if let number = try? container.decode(Double.self) {
                self = .number(number)
            } else {
                self = .other
            }
        }
    }
}

extension DatabaseSecret.Problem: CustomStringConvertible {
    /// The end of a sentence that begins with "the secret".
    public var description: String {
        switch self {
        case .noJSONObject: "is no JSON object"
        case .noField: "contains none of username, password, host, port and dbname"
        case .noText(let field): "has a \(field) that is not a string"
        case .badPort: "has a port that is not a number from 1 to 65535"
        case .zeroByte(let field): "has a \(field) that contains a zero byte"
        case .noPassword: "has a username without a password"
        }
    }
}
