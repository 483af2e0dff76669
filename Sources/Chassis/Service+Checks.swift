import Postgres

// Checks of a service's declaration. They run before the service does anything, in every build, and name the error;
// later it would fail every connection, or change the meaning of a variable.

extension Service {
    /// Traps when a name is invalid or used twice.
    func check() {
        checkVariables()
        checkStatements()
        checkNamesInSQL()
    }

    private func checkVariables() {
        for variable in variables where !Self.isVariableName(variable.name) {
            fatalError(
                "'\(variable.name)' is not a valid variable name: use upper-case letters, digits and underscores")
        }
        if let name = Self.firstTwice(Configuration.variables(of: self).map(\.name)) {
            fatalError("two variables are named '\(name)'")
        }
    }

    private func checkStatements() {
        var seen = Set(statements.map(\.ordinal))
        // They need not be listed, and must not have another statement's name either.
        let groups = statements.compactMap(\.many).filter { seen.insert($0.ordinal).inserted }
        if let name = Self.firstTwice(statements.map(\.name) + groups.map(\.name)) {
            fatalError("two statements are named '\(name)'")
        }
        guard keepsIdempotencyKeys else { return }
        let migrationNames = Set(migrations.map(\.name))
        for migration in IdempotencyKey.migrations where !migrationNames.contains(migration.name) {
            fatalError("keepsIdempotencyKeys needs the migration '\(migration.name)' of IdempotencyKey.migrations")
        }
    }

    private func checkNamesInSQL() {
        if let countedTable, !Self.isTableName(countedTable) {
            fatalError("'\(countedTable)' is not a plain table name: use lower-case letters, digits and underscores")
        }
        for setting in sessionSettings where !Self.isParameterName(setting.name) {
            fatalError("'\(setting.name)' is not the name of a PostgreSQL parameter")
        }
        for setting in sessionSettings where setting.value.utf8.contains(0) {
            fatalError("the value of '\(setting.name)' contains U+0000, which PostgreSQL does not accept")
        }
    }

    private static func firstTwice(_ names: [String]) -> String? {
        var seen: Set<String> = []
        return names.first { !seen.insert($0).inserted }
    }

    /// Whether the name reaches the environment unchanged: a lower-case name would be read in upper case.
    private static func isVariableName(_ name: String) -> Bool {
        isIdentifier(name[...], of: [upper]) && name.utf8.first != underscore
    }

    /// Whether SQL and JSON take the name unchanged; PostgreSQL cuts longer names (documentation §4.1.1).
    private static func isTableName(_ name: String) -> Bool {
        isIdentifier(name[...], of: [lower]) && name.utf8.count <= 63
    }

    /// Whether the name may be a parameter's, or one of an extension, `auto_explain.log_min_duration` (documentation
    /// §20.16).
    private static func isParameterName(_ name: String) -> Bool {
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count <= 2 && parts.allSatisfy { isIdentifier($0, of: [lower, upper]) }
    }

    private static let lower = UInt8(ascii: "a")...UInt8(ascii: "z")
    private static let upper = UInt8(ascii: "A")...UInt8(ascii: "Z")
    private static let digits = UInt8(ascii: "0")...UInt8(ascii: "9")
    private static let underscore = UInt8(ascii: "_")

    /// Whether the name begins with a letter or an underscore, and consists of these and digits.
    private static func isIdentifier(_ name: Substring, of letters: [ClosedRange<UInt8>]) -> Bool {
        guard let first = name.utf8.first, !digits.contains(first) else { return false }
        return name.utf8.allSatisfy { byte in
            byte == underscore || digits.contains(byte) || letters.contains { $0.contains(byte) }
        }
    }
}
