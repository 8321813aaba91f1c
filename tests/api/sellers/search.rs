//! `search` of GET /sellers.

use blackbox::{App, percent_encoded};
use serde_json::json;

use super::list::{found, given_sellers};

#[tokio::test]
async fn search_finds_substrings_of_name_and_email_in_any_case_without_wildcards() {
    let app = App::spawn().await;
    let bodies = [
        json!({"businessName": "100% Wool_Shop", "businessEmail": "wool@example.org"}),
        json!({"businessName": "1000 WoolXShop", "businessEmail": "Sheep.Farm@example.com"}),
        json!({"businessName": "Bücher \\ Ähren", "businessEmail": "a_b%c@example.net"}),
        json!({"businessName": "O'Neil \"Q\" 李", "taxId": "wool-in-tax-id", "description": "wool in the description"}),
    ];
    let sellers = given_sellers(&app, bodies).await;
    let table: [(&str, &[usize]); 22] = [
        ("wool", &[0, 1]),
        ("WOOL", &[0, 1]),
        ("ool", &[0, 1]),
        ("%", &[0, 2]),
        ("100%", &[0]),
        ("_", &[0, 2]),
        ("wool_shop", &[0]),
        ("woolxshop", &[1]),
        ("a_b%c", &[2]),
        ("aXb", &[]),
        ("\\", &[2]),
        ("\\%", &[]),
        ("\\ ä", &[2]),
        ("BÜCHER", &[2]),
        ("sheep.farm@EXAMPLE", &[1]),
        ("SheepXFarm", &[]),
        ("example.", &[0, 1, 2]),
        ("'", &[3]),
        ("\"q\"", &[3]),
        ("李", &[3]),
        ("0", &[0, 1]),
        ("wool-in", &[]),
    ];
    for (search, expected) in table {
        let expected: Vec<i64> = expected.iter().rev().map(|at| sellers[*at].id).collect();
        assert_eq!(found(&app, &format!("search={}", percent_encoded(search))).await, expected, "{search}");
    }
    let none = found(&app, &format!("search={}", "x".repeat(255))).await;
    assert!(none.is_empty(), "{none:?}");
    assert_eq!(found(&app, "search=%25+wool").await, [sellers[0].id], "a plus is a space in a query");
}
