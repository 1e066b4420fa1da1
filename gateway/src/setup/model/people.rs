//! Groups, drivers, tokens, plans. A driver is a key; who he is stands in a file of its own.

use super::super::read::{choice, section};
use super::super::values::{Id, Until};
use super::Address;

section! {
    /// A group of drivers, by the name that tariffs give it.
    pub struct Group {
        /// As in tariffs.
        id: Id,
        /// For people.
        name: Option<String>,
    }
}

section! {
    /// A plan that month charges of a charger follow, by the name that tariffs give it.
    pub struct Plan {
        /// As in tariffs.
        id: Id,
        /// For people.
        name: Option<String>,
    }
}

choice! {
    /// How a driver pays.
    PaysBy {
        /// What his seller's payment provider takes from him.
        Card = "card",
        /// By an invoice that he is sent.
        Invoice = "invoice",
    }
}

section! {
    /// A driver: a key that sessions and bills name.
    pub struct Driver {
        /// The key. It says nothing about the person.
        id: Id,
        /// His groups.
        groups: Vec<Id>,
        /// He may not charge.
        blocked: bool = false,
        /// What his bills are charged to: the payment provider's name of a card or agreement that was not saved here.
        instrument: Option<String>,
        /// How he pays his bills.
        pays_by: PaysBy = PaysBy::Card,
    }
    hints {
        "invoice" => "write `pays_by = \"invoice\"`",
        "name" => "a driver is a key; who he is stands in a file of its own: `[[person]]` with `driver` and `name`",
        "email" => "a driver is a key; who he is stands in a file of its own: `[[person]]` with `driver` and `email`",
        "phone" => "a driver is a key; who he is stands in a file of its own: `[[person]]` with `driver` and `phone`",
        "group" => "write `groups = [\"...\"]`",
    }
}

choice! {
    /// What a token is.
    TokenKind {
        /// A card or tag.
        Rfid = "rfid",
        /// The app.
        App = "app",
        /// The car's contract (Plug & Charge): the uid is its EMAID.
        Contract = "contract",
        /// The car itself, by its hardware address.
        Car = "car",
        /// A text message.
        Sms = "sms",
        /// A payment card at the terminal.
        Payment = "payment",
        /// A code that is typed in.
        Code = "code",
        /// None at all: free vending.
        Free = "free",
    }
}

choice! {
    /// Whether a token can be used.
    TokenState {
        /// Yes.
        Active = "active",
        /// No.
        Blocked = "blocked",
    }
}

choice! {
    /// How a driver came to the charger.
    Contract {
        /// The operator's own customer.
        Direct = "direct",
        /// Another operator's customer.
        Roaming = "roaming",
        /// No contract: pays on the spot.
        AdHoc = "ad-hoc",
    }
}

impl From<Contract> for takst_engine::tariff::Contract {
    fn from(contract: Contract) -> Self {
        match contract {
            Contract::Direct => Self::Direct,
            Contract::Roaming => Self::Roaming,
            Contract::AdHoc => Self::AdHoc,
        }
    }
}

section! {
    /// What a driver identifies himself with.
    pub struct Token {
        /// As chargers send it. Letters in either case are the same.
        uid: Id,
        /// What it is.
        kind as "type": TokenKind = TokenKind::Rfid,
        /// Whose it is.
        driver: Option<Id>,
        /// Groups besides the driver's.
        groups: Vec<Id>,
        /// Tokens with the same parent may stop each other's sessions.
        parent: Option<String>,
        /// Whether it can be used.
        status: TokenState = TokenState::Active,
        /// Worth nothing after that.
        valid_until: Option<Until>,
        /// It may stop every session, and start none.
        master_pass: bool = false,
        /// How many sessions may run on it at once; without it the setting `concurrent_transactions` counts.
        concurrent_transactions: Option<u32>,
        /// How its driver came; without it: a text message or payment card is `ad-hoc`, all others `direct`.
        contract: Option<Contract>,
        /// Who issued it, as tariffs name other networks.
        issuer: Option<String>,
    }
    hints {
        "id" => "write `uid`",
        "group" => "write `groups = [\"...\"]`",
        "name" => "a token belongs to a driver, who is a key: `driver = \"...\"`",
    }
}

section! {
    /// Who a driver is. Stands in a file that holds nothing else, so that it can be erased.
    pub struct Person {
        /// The driver's key.
        driver: Id,
        /// Name.
        name: Option<String>,
        /// E-mail address.
        email: Option<String>,
        /// Telephone number.
        phone: Option<String>,
        /// The language to write to him in, as in `nb`.
        language: Option<String>,
        /// Where his invoices go, and where he is looked for by channels of e-invoices.
        address: Address,
        /// Day of birth, "1985-03-29".
        birth_date: Option<String>,
        /// Number in the register of persons: channels of e-invoices find him by it.
        national_id: Option<String>,
        /// Number in the register of companies, where the payer is one.
        company_number: Option<String>,
    }
}
