//! Single letters: width, case, traditional forms, and information content.

use std::sync::LazyLock;

/// The letter in normal form: half width, upper case, simplified.
pub(super) fn fold(letter: char) -> char {
    match letter {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(letter as u32 - 0xfee0).unwrap_or(letter).to_ascii_uppercase(),
        '〇' | '○' => '零',
        'a'..='z' => letter.to_ascii_uppercase(),
        other if is_cjk(other) => simplified(other),
        other => other,
    }
}

pub(super) const fn is_cjk(letter: char) -> bool {
    matches!(letter, '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{323af}')
}

/// Traditional forms that occur in addresses. The table is short on purpose: it avoids the cost of a typing error for the commonest
/// ones and is not a converter.
const TRADITIONAL: &str = "號号棟栋樓楼層层單单間间園园區区廣广場场東东門门龍龙灣湾橋桥興兴華华寶宝莊庄羅罗觀观麗丽廈厦縣县鄉乡鎮镇\
圍围濱滨經经銀银鐵铁錦锦陽阳機机長长馬马鳳凤鵬鹏鹽盐榮荣萬万豐丰學学書书雲云電电寧宁環环實实業业國国際际會会島岛壢坜頭头\
嶺岭塊块舊旧聖圣蓮莲蘭兰蘆芦葉叶駿骏體体湧涌滙汇匯汇貝贝塘塘關关車车軍军達达遠远運运進进邊边衛卫裡里裏里";

static FORMS: LazyLock<Vec<(char, char)>> = LazyLock::new(|| {
    let letters: Vec<char> = TRADITIONAL.chars().collect();
    let mut forms: Vec<(char, char)> = letters.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect();
    forms.sort_unstable();
    forms
});

fn simplified(letter: char) -> char {
    FORMS.binary_search_by_key(&letter, |form| form.0).map_or(letter, |at| FORMS[at].1)
}

/// Letters that occur in most addresses and carry little information: kinds of levels and of places.
pub(super) const fn is_generic(letter: char) -> bool {
    matches!(
        letter,
        '省' | '市'
            | '区'
            | '县'
            | '镇'
            | '乡'
            | '街'
            | '道'
            | '社'
            | '路'
            | '巷'
            | '弄'
            | '村'
            | '里'
            | '坊'
            | '园'
            | '苑'
            | '院'
            | '号'
            | '楼'
            | '栋'
            | '座'
            | '层'
            | '室'
            | '房'
            | '厦'
            | '广'
            | '场'
            | '期'
    )
}

/// Letters that end the names of areas and roads, and precede many numbers.
pub(super) const fn is_ending(letter: char) -> bool {
    matches!(letter, '省' | '市' | '区' | '县' | '镇' | '乡' | '街' | '道' | '社' | '路' | '巷' | '村' | '号')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writing_habits_fold_to_one_letter() {
        let folded: String = "Ａ８栋ｂ棟號樓x".chars().map(fold).collect();
        assert_eq!(folded, "A8栋B栋号楼X");
    }

    #[test]
    fn the_table_of_forms_comes_in_pairs() {
        assert_eq!(TRADITIONAL.chars().count() % 2, 0);
    }
}
