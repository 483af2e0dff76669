/// One step of a schema.
public struct Migration: Sendable {
    /// Identifies the step in the record of applied steps: letters, digits and underscores.
    public let name: String
    /// One or more statements, without parameters. They run in the transaction of all steps, so none may end it or
    /// require to run outside one.
    public let sql: String

    /// - Parameters:
    ///   - name: letters, digits and underscores, unique among the steps.
    ///   - sql: see `sql`.
    public init(_ name: String, _ sql: String) {
        precondition(
            !name.isEmpty && name.utf8.allSatisfy { $0 == 0x5F || isAlphanumeric($0) },
            "'\(name)' is not a valid migration name")
        self.name = name
        self.sql = sql
    }
}

private func isAlphanumeric(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
    default: false
    }
}
