import FoundationEssentials
import Testing
import Vial

@testable import orders

struct NewOrderTests {
    private func order(_ text: String) throws -> NewOrder {
        let request = try Request(.post, "/", fields: [("Content-Type", "application/json")], body: text)
        return try NewOrder.body.read(request)
    }

    @Test func `keeps an amount as it is written`() throws {
        #expect(try order(#"{"customer":"a","amount":"12.30"}"#).amount.description == "12.30")
    }

    @Test(arguments: [
        #"{"customer":"","amount":"1"}"#, #"{"customer":"a","amount":"-1"}"#, #"{"customer":"a","amount":"NaN"}"#,
        #"{"customer":"a","amount":1}"#, #"{"amount":"1"}"#, #"{"customer":"a\u0000","amount":"1"}"#,
        #"{"customer":"a","amount":"1","details":{"isGift":true}}"#, #"{"customer":"a","amount":"1","x":1}"#,
        #"{"customer":"a","amount":".5"}"#, #"{"customer":"a","amount":"1","details":{"isGift":true,"parcels":0}}"#,
    ])
    func `refuses an order that breaks a rule`(text: String) {
        let error = #expect(throws: HTTPError.self) { try order(text) }
        #expect(error?.status.code == 422)
    }
}
