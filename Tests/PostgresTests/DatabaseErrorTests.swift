import Testing

@testable import Postgres

struct DatabaseErrorTests {
    private func server(_ state: String, _ origin: DatabaseError.Origin = .other) -> DatabaseError {
        .server(.init(sqlState: state, message: "no", constraint: nil, origin: origin))
    }

    @Test(arguments: [
        ("0A000", DatabaseError.Class.statement), ("3F000", .statement), ("42P05", .statement), ("25P03", .shutdown),
        ("25P04", .shutdown), ("55006", .conflict), ("55P03", .conflict), ("55000", .other), ("72000", .conflict),
        ("08006", .connection), ("08001", .connection), ("22021", .data), ("22P02", .data),
        ("23505", .constraint), ("23514", .constraint), ("25006", .readOnly), ("25P02", .other), ("26000", .statement),
        ("28P01", .authentication), ("28000", .authentication), ("3D000", .other), ("40001", .conflict),
        ("40P01", .conflict), ("42601", .statement), ("42P01", .statement), ("53300", .resources),
        ("54000", .resources),
        ("57014", .cancelled), ("57P01", .shutdown), ("57P02", .shutdown), ("57P03", .shutdown), ("57P05", .shutdown),
        ("58030", .shutdown), ("XX000", .other), ("", .other),
    ])
    func `classifies SQLSTATEs`(state: String, expected: DatabaseError.Class) {
        #expect(server(state).errorClass == expected)
    }

    @Test(arguments: [
        (DatabaseError.unavailable, DatabaseError.Class.connection), (.connectionLost, .connection),
        (.connectFailed("x"), .connection), (.closing, .connection), (.waitTimedOut, .pool), (.queueFull, .pool),
        (.outOfMemory, .pool),
        (.deadlineExceeded, .timeout), (.unconfirmed, .timeout), (.unexpectedResult("x"), .result),
    ])
    func `classifies its own errors`(error: DatabaseError, expected: DatabaseError.Class) {
        #expect(error.errorClass == expected)
    }

    @Test func `only shutdown and connection errors retire the connection`() {
        for state in ["08006", "25P03", "25P04", "57P01", "57P02", "57P03", "58030"] {
            #expect(server(state).retiresConnection)
        }
        for state in ["22021", "25006", "23505", "40001", "42601", "53200", "57014", "XX000"] {
            #expect(!server(state).retiresConnection)
        }
        #expect(DatabaseError.connectionLost.retiresConnection)
        #expect(!DatabaseError.waitTimedOut.retiresConnection && !DatabaseError.deadlineExceeded.retiresConnection)
    }

    @Test
    func `a wrong number of parameters concerns the statement, any other protocol violation the connection`() {
        func breach(_ routine: String?) -> DatabaseError {
            .server(.init(sqlState: "08P01", message: "no", constraint: nil, routine: routine))
        }
        #expect(breach("exec_bind_message").errorClass == .statement)
        #expect(!breach("exec_bind_message").retiresConnection)
        for other in [breach("SocketBackend"), breach(nil)] {
            #expect(other.errorClass == .connection && other.retiresConnection)
        }
    }

    @Test func `a prepared statement is stale if it is missing, exists already, or has other columns`() {
        for state in ["26000", "42P05"] { #expect(server(state).isStalePlan) }
        for state in ["0A000", "42P01", "57014"] { #expect(!server(state).isStalePlan) }
        let changed = DatabaseError.ServerError(
            sqlState: "0A000", message: "no", constraint: nil, routine: "RevalidateCachedQuery")
        #expect(DatabaseError.server(changed).isStalePlan)
        #expect(!DatabaseError.unconfirmed.isStalePlan && !DatabaseError.unconfirmed.isMissingObject)
        for state in ["42P01", "42703", "3F000"] {
            #expect(server(state, .text).isMissingObject)
            #expect(!server(state).isMissingObject)
        }
        #expect(!server("42601", .text).isMissingObject)
    }

    @Test func `an error raised by a function concerns only its statement`() {
        for state in ["08006", "57P01", "58030"] { #expect(!server(state, .function).retiresConnection) }
        for state in ["26000", "42P05"] { #expect(!server(state, .function).isStalePlan) }
        for state in ["42P01", "42703", "3F000"] { #expect(!server(state, .function).isMissingObject) }
        #expect(server("25006").isReadOnlyServer && !server("25006", .function).isReadOnlyServer)
        #expect(server("55P03").isLockTimeout && !server("55P03", .function).isLockTimeout)
    }

    @Test(
        arguments: [
            ("ERROR", "15", nil, .text), ("ERROR", "15", "unnamed portal with parameters: $1 = '7'", .text),
            ("ERROR", nil, nil, .other), ("ERROR", nil, "portail non nommé avec les paramètres : $1 = '7'", .other),
            ("ERROR", nil, "PL/pgSQL function f() line 1 at PERFORM", .function),
            (
                "ERROR", nil, "PL/pgSQL function f() line 1 at RAISE\nunnamed portal with parameters: $1 = '7'",
                .function
            ),
            ("FATAL", nil, "PL/pgSQL function f() line 1 at PERFORM", .other), (nil, nil, nil, .other),
        ] as [(String?, String?, String?, DatabaseError.Origin)])
    func `an error with a position in the statement has origin text, one with another context origin function`(
        severity: String?, position: String?, context: String?, expected: DatabaseError.Origin
    ) {
        #expect(DatabaseError.Origin(severity: severity, position: position, context: context) == expected)
    }

    @Test func `only a cancellation by the server itself counts as one`() {
        func stopped(_ routine: String?) -> DatabaseError {
            .server(.init(sqlState: "57014", message: "no", constraint: nil, routine: routine))
        }
        #expect(stopped("ProcessInterrupts").isCancellation && stopped(nil).isCancellation)
        #expect(!stopped("exec_stmt_raise").isCancellation)
    }

    @Test(
        arguments: [
            ("Key (id)=(1) already exists.", "id"), ("Key (id, lower(name))=(1, a) already exists.", "id, lower(name)"),
            ("Der Schlüssel »(name)=(a)« existiert bereits.", "name"), ("()=()", ""),
            // A function may raise an error with any detail.
            (")=(", nil), ("a)=(b", nil), ("(", nil), ("", nil),
        ] as [(String, String?)])
    func `reads the columns of a constraint from the detail`(
        detail: String, columns: String?
    ) {
        #expect(DatabaseError.ServerError.keyColumns(inDetail: detail) == columns)
    }

    @Test func `class names are valid labels`() {
        for name in DatabaseError.Class.allCases.map(\.rawValue) {
            #expect(name.utf8.allSatisfy { (0x61...0x7A).contains($0) || $0 == 0x5F })
        }
    }

    @Test func `descriptions are one line`() {
        #expect(server("23505").description == "23505 no")
        #expect("\(DatabaseError.connectFailed("refused"))" == "refused")
        #expect(Handle.oneLine("a\nb\t c\r\n\n  d\n") == "a b  c   d")
        #expect(Handle.oneLine("") == "")
    }
}
