//! `break` and `continue` out of `with` blocks and captures.

use minijinja::machinery::{Instruction, Instructions};

#[derive(Clone, Copy, PartialEq)]
enum Block {
    With,
    Capture,
}

/// Which `with` blocks and captures are open at each instruction. They nest in program order; `break` and `continue` jump out
/// of them and have to close them, which minijinja forgets.
pub struct Nesting {
    /// A block that was opened, and the one around it (0: none).
    blocks: Vec<(Block, usize)>,
    /// Per instruction: the innermost open block, counted from 1; 0: none.
    innermost: Vec<usize>,
}

impl Nesting {
    pub fn of(program: &Instructions) -> Nesting {
        use minijinja::machinery::Instruction as I;
        let mut nesting = Nesting { blocks: Vec::new(), innermost: Vec::new() };
        let mut current = 0;
        while let Some(instruction) = program.get(nesting.innermost.len() as u32) {
            nesting.innermost.push(current);
            match instruction {
                I::PushWith => current = nesting.open(Block::With, current),
                I::BeginCapture(_) => current = nesting.open(Block::Capture, current),
                I::PopFrame | I::EndCapture => current = nesting.around(current),
                _ => {}
            }
        }
        nesting
    }

    fn open(&mut self, block: Block, around: usize) -> usize {
        self.blocks.push((block, around));
        self.blocks.len()
    }

    fn around(&self, block: usize) -> usize {
        block.checked_sub(1).map_or(0, |i| self.blocks[i].1)
    }

    /// What closes the blocks between a jump and its target; nothing for other instructions.
    pub fn unwind<'s>(&self, at: usize, instruction: &Instruction<'s>) -> Vec<Instruction<'s>> {
        let mut piece = Vec::new();
        let Instruction::Jump(target) = instruction else { return piece };
        let outer = self.innermost.get(*target as usize).copied().unwrap_or(0);
        let mut block = self.innermost[at];
        while block > outer {
            piece.push(Instruction::PopFrame);
            if self.blocks[block - 1].0 == Block::Capture {
                piece.extend([Instruction::EndCapture, Instruction::DiscardTop]);
            }
            block = self.around(block);
        }
        piece
    }
}
