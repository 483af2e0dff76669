import Testing

@testable import Items
@testable import Postgres

struct ItemTooLongTests {
    private func item(_ message: String, state: String = "22P02") -> ItemTooLong? {
        ItemTooLong(.server(.init(sqlState: state, message: message, constraint: nil)))
    }

    @Test(arguments: [
        "invalid input syntax for type bigint: \"ITEM\"", "ungültige Eingabesyntax für Typ bigint: »ITEM«",
        "la sintaxis de entrada no es válida para tipo bigint: «ITEM»",
        "syntaxe en entrée invalide pour le type bigint : « ITEM »", "\"bigint\"型の入力構文が不正です: \"ITEM\"",
        "无效的类型 bigint 输入语法: \"ITEM\"",
    ])
    func `is recognized in PostgreSQL's message, in any language`(message: String) {
        for id in ["2", "-7", "\(Int64.max)"] {
            #expect(item(message.replacing("ITEM", with: "item \(id) takes 5000000 bytes"))?.id == Int64(id))
        }
    }

    @Test func `does not match other errors`() {
        #expect(item("invalid input syntax for type bigint: \"item\"") == nil)
        #expect(item("invalid input syntax for type bigint: \"item x takes 5000000 bytes\"") == nil)
        #expect(item("invalid input syntax for type bigint: \"item 2 makes 5000000 bytes\"") == nil)
        #expect(item("invalid input syntax for type bigint: \"thing 2 takes 5000000 bytes\"") == nil)
        #expect(item("") == nil)
        #expect(item("\"item 2 takes 5000000 bytes\"", state: "P0001") == nil)
        #expect(ItemTooLong(.connectionLost) == nil)
    }
}
